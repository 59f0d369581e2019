"""For all tests: no test fails because the machine was busy."""

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that wait a lot come first: a run that ends with them has idle workers."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)
