"""Schemas for Anthropic's grammar."""

from typing import Any

import pytest

from ailb.errors import BadRequest
from providers.anthropic_schema import closed

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object", "properties": {"a": TEXT}}, {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False}),
        ({"type": "object", "additionalProperties": True}, {"type": "object", "additionalProperties": False}),
        ({"properties": {"minimum": TEXT}}, {"properties": {"minimum": TEXT}, "additionalProperties": False}),
        ({"oneOf": [{"type": "object"}, TEXT]}, {"anyOf": [{"type": "object", "additionalProperties": False}, TEXT]}),
        ({"$defs": {"maximum": {"type": "object"}}}, {"$defs": {"maximum": {"type": "object", "additionalProperties": False}}}),
        ({"type": "array", "items": {"type": "object"}}, {"type": "array", "items": {"type": "object", "additionalProperties": False}}),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "description": '{"minimum":1}'}),
        ({"type": "array", "minItems": 2, "description": "d"}, {"type": "array", "description": 'd\n\n{"minItems":2}'}),
        ({"type": "array", "minItems": 1}, {"type": "array", "minItems": 1}),
        ({**TEXT, "format": "email"}, {**TEXT, "format": "email"}),
        ({**TEXT, "format": "phone"}, {**TEXT, "description": '{"format":"phone"}'}),
        ({"enum": ["a", None], "default": "a"}, {"enum": ["a", None], "default": "a"}),
        (True, True),
    ],
)
def test_a_schema_is_closed_and_loses_no_rule(schema: Any, expected: Any) -> None:
    assert expected == closed(schema)


def test_a_schema_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(100):
        schema = {"items": schema}
    with pytest.raises(BadRequest):
        closed(schema)
