"""Fault G1: whatever is sent to a route, its answer is one that `/openapi.json` tells of, and none is a bug.

`AILB_FUZZ_EXAMPLES` examples a route; 50 unless it says otherwise.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as about

from ailb.admin.openapi_operations import OPERATIONS, Operation
from tests.ailb.admin.test_openapi import ADMIN, whole
from tests.ailb.store.made import made

EXAMPLES = int(os.environ.get("AILB_FUZZ_EXAMPLES", "50"))
CHECKS = [
    not_a_server_error,
    about.status_code_conformance,
    about.content_type_conformance,
    about.response_headers_conformance,
    about.response_schema_conformance,
]
QUIET = [HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large]


CASES = [
    pytest.param(operation, mode, id=f"{mode.value} {operation.method} {operation.path}")
    for operation in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.parameters or operation.body  # nothing can be wrong with nothing
]


@pytest.fixture
def described(tmp_path: Path) -> Any:
    """Of an app of its own: schemathesis ends its lifespan with each test, and a store is opened once."""
    made(tmp_path)
    app: Any = whole(tmp_path)
    return schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_no_request_is_answered_in_a_way_that_nobody_told_of(described: Any, operation: Operation, mode: GenerationMode) -> None:
    @given(case=described[operation.path][operation.method].as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES // 2, deadline=None, database=None, suppress_health_check=QUIET, phases=[Phase.generate])
    def ask(case: Any) -> None:
        case.call_and_validate(headers={"authorization": f"Bearer {ADMIN}"}, checks=CHECKS)

    ask()
