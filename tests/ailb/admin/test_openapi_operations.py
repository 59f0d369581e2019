import pytest

from ailb.admin.openapi_operations import OPERATIONS, Operation
from ailb.admin.openapi_schemas import SCHEMAS


def test_each_operation_is_there_once() -> None:
    names = [(operation.method, operation.path) for operation in OPERATIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_an_operation_takes_and_gives_what_is_described(operation: Operation) -> None:
    schemas = {operation.error, *operation.answers.values(), *([operation.body] if operation.body else [])}
    assert schemas <= SCHEMAS.keys()
    assert (operation.body is not None) is (operation.method in ("POST", "PUT", "PATCH"))


def test_only_what_says_nothing_about_users_is_open() -> None:
    assert {"/healthz", "/readyz", "/openapi.json"} == {operation.path for operation in OPERATIONS if operation.open}
