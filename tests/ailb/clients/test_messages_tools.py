"""Tools, tool choice and answer format."""

from typing import Any

import pytest

from ailb.clients.messages_tools import response_format, tools
from ailb.errors import BadRequest
from tests.ailb.clients.chats import Json

OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OPEN, "required": ["a"], "additionalProperties": False}
TOOL = {"name": "f", "input_schema": OPEN}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": OPEN}}


@pytest.mark.parametrize(
    ("tool", "function"),
    [
        (TOOL, {"name": "f", "parameters": OPEN}),
        ({**TOOL, "type": "custom", "description": "d"}, {"name": "f", "parameters": OPEN, "description": "d"}),
        ({**TOOL, "type": None, "cache_control": {"type": "ephemeral"}, "defer_loading": True}, {"name": "f", "parameters": OPEN}),
        ({**TOOL, "strict": True}, {"name": "f", "parameters": OPEN}),
        ({**TOOL, "strict": True, "input_schema": CLOSED}, {"name": "f", "parameters": CLOSED, "strict": True}),
    ],
)
def test_a_tool(tool: Json, function: Json) -> None:
    assert {"tools": [{"type": "function", "function": function}]} == tools({"tools": [tool]})


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {}),
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"tool_choice": "auto", "parallel_tool_calls": False}),
        ({"type": "any", "disable_parallel_tool_use": False}, {"tool_choice": "required"}),
    ],
)
def test_the_choice(choice: Any, expected: Json) -> None:
    assert {"tools": [FUNCTION], **expected} == tools({"tools": [TOOL], "tool_choice": choice})


@pytest.mark.parametrize("body", [{}, {"tools": None}, {"tools": []}, {"tools": [], "tool_choice": {"type": "none"}}])
def test_without_tools_nothing_is_said_of_them(body: Json) -> None:
    assert {} == tools(body)


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}]}, "tools[1].type", "web_search_20250305"),
        ({"tools": [{"type": "computer_20251124", "name": "computer"}]}, "tools[0].type", "computer_20251124"),
        ({"tools": [{"type": 1}]}, "tools[0].type", "1"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name", "name"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema", "object"),
        ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice.type", "auto, any, tool or none"),
        ({"tools": [TOOL], "tool_choice": {"type": ["any"]}}, "tool_choice.type", "auto, any, tool or none"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name", "name"),
    ],
)
def test_what_only_anthropic_has_is_named(body: Json, param: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words) as refused:
        tools(body)
    assert param == refused.value.param


NESTED: Json = {**CLOSED, "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "array", "items": OPEN}]}}}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [(CLOSED, True), (OPEN, False), ({**CLOSED, "required": []}, False), ({**CLOSED, "required": "a"}, False), (NESTED, False), ({}, True)],
)
def test_the_answer_s_schema(schema: Json, strict: bool) -> None:
    expected = {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": strict}}}
    assert expected == response_format({"type": "json_schema", "schema": schema}, "here")
    assert expected == response_format({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}, "here")


@pytest.mark.parametrize("wanted", ["json", {}, {"type": "json_schema", "schema": 1}, {"json_schema": None}])
def test_a_format_that_is_none_is_named(wanted: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        response_format(wanted, "here")
    assert refused.value.param == "here"


def test_no_format() -> None:
    assert {} == response_format(None, "here")
