from typing import Any

import orjson
import pytest

from ailb.admin.billing_budget import Terms
from ailb.admin.keys import Change, Create, Rotate
from ailb.admin.openapi_schemas import ERROR, SCHEMAS
from ailb.errors import BadRequest


@pytest.mark.parametrize(("name", "shape"), [("BudgetTerms", Terms), ("KeyTerms", Create), ("KeyChange", Change), ("Rotation", Rotate)])
def test_a_body_has_the_members_that_are_taken(name: str, shape: Any) -> None:
    assert {field.alias or name for name, field in shape.model_fields.items()} == set(SCHEMAS[name]["properties"])
    assert SCHEMAS[name]["additionalProperties"] is False


def test_the_error_is_the_one_that_there_is() -> None:
    body = BadRequest("x").body()
    assert set(ERROR["required"]) == set(body)
    assert set(ERROR["properties"]["error"]["required"]) == set(body["error"])


def test_all_of_it_is_json() -> None:
    assert orjson.loads(orjson.dumps(SCHEMAS))
