"""Tools, tool choice and the answer's format."""

from typing import Any

import pytest

from ailb.errors import BadRequest
from providers.anthropic_models import abilities
from providers.anthropic_tools import JSON_TOOL, answer_schema, choice, forced, json_tool, legacy, tools

OLD, NEW = abilities("claude-sonnet-4-0"), abilities("claude-sonnet-5")
MARK = {"type": "ephemeral"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "integer", "description": '{"minimum":1}'}},
    "additionalProperties": False,
}
ANY = {"type": "object", "properties": {}}


def function(**more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **more}}


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (function(), {"name": "f", "input_schema": ANY}),
        (function(description="d", parameters=SCHEMA), {"name": "f", "description": "d", "input_schema": SCHEMA}),
        (function(parameters={}), {"name": "f", "input_schema": ANY}),
        (function(parameters={"properties": {}}), {"name": "f", "input_schema": ANY}),
        (function(parameters={"type": None, "x": 1}), {"name": "f", "input_schema": {"type": "object", "x": 1}}),
        (function(parameters=SCHEMA, strict=True), {"name": "f", "input_schema": CLOSED, "strict": True}),
        (function(parameters=SCHEMA, strict=False), {"name": "f", "input_schema": SCHEMA}),
        ({**function(), "cache_control": MARK}, {"name": "f", "input_schema": ANY, "cache_control": MARK}),
        (function(cache_control=MARK), {"name": "f", "input_schema": ANY, "cache_control": MARK}),
        ({"type": "web_search_20250305", "name": "web_search"}, {"type": "web_search_20250305", "name": "web_search"}),
        ({"name": "f", "input_schema": SCHEMA}, {"name": "f", "input_schema": SCHEMA}),
    ],
)
def test_a_tool(tool: dict[str, Any], expected: dict[str, Any]) -> None:
    assert [expected] == tools({"tools": [tool]}, NEW)


def test_strict_is_not_said_to_models_that_do_not_know_it() -> None:
    assert tools({"tools": [function(parameters=SCHEMA, strict=True)]}, OLD) == [{"name": "f", "input_schema": SCHEMA}]


def test_functions_are_tools() -> None:
    assert tools({"functions": [{"name": "f", "parameters": SCHEMA}]}, NEW) == [{"name": "f", "input_schema": SCHEMA}]
    assert legacy({"functions": [{"name": "f"}]})
    assert not legacy({"functions": [{"name": "f"}], "tools": [function()]})


def test_only_the_allowed_tools_are_offered() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}
    chat = {"tools": [function(), function(name="g")], "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}}
    assert [tool["name"] for tool in tools(chat, NEW)] == ["g"]
    assert choice(chat) == {"type": "any"}


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [1]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
        ({"tools": [function(), function(name="")]}, "tools[1].function.name"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"functions": [{}]}, "functions[0].name"),
    ],
)
def test_a_tool_that_cannot_be_offered_is_named(chat: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        tools(chat, NEW)
    assert param == refused.value.param


ONE: dict[str, Any] = {"disable_parallel_tool_use": True}
NAMED = {"type": "tool", "name": "f"}


@pytest.mark.parametrize(
    ("chat", "expected"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, NAMED),
        ({"tool_choice": {"type": "function", "name": "f"}}, NAMED),
        ({"tool_choice": {"type": "any", **ONE}}, {"type": "any", **ONE}),
        ({"tool_choice": {**NAMED, **ONE}}, {**NAMED, **ONE}),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", **ONE}),
        ({"parallel_tool_calls": False, "tool_choice": "required"}, {"type": "any", **ONE}),
        ({"parallel_tool_calls": False, "tool_choice": {"type": "function", "function": {"name": "f"}}}, {**NAMED, **ONE}),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
        ({"functions": [{"name": "f"}]}, {"type": "auto", **ONE}),
        ({"functions": [{"name": "f"}], "function_call": {"name": "f"}}, {**NAMED, **ONE}),
        ({"functions": [{"name": "f"}], "function_call": "none"}, {"type": "none"}),
    ],
)
def test_a_choice(chat: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert expected == choice(chat)


@pytest.mark.parametrize("given", ["maybe", 7, {}, {"type": "function"}, {"type": "function", "function": {"name": ""}}])
def test_a_choice_that_nobody_knows_is_named(given: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        choice({"tool_choice": given})
    assert refused.value.param == "tool_choice"


def test_what_forces_a_call() -> None:
    assert [forced(c) for c in (None, {"type": "auto"}, {"type": "none"}, {"type": "any"}, NAMED)] == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {}),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}, SCHEMA),
        ({"type": "json_schema", "schema": SCHEMA}, SCHEMA),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, {}),
    ],
)
def test_the_schema_of_an_answer(wanted: Any, expected: Any) -> None:
    assert expected == answer_schema({"response_format": wanted})


@pytest.mark.parametrize("wanted", ["json", {}, {"type": "grammar"}])
def test_a_format_that_nobody_knows_is_named(wanted: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        answer_schema({"response_format": wanted})
    assert refused.value.param == "response_format.type"


def test_the_tool_that_stands_for_json() -> None:
    assert (json_tool(SCHEMA)["name"], json_tool(SCHEMA)["input_schema"]) == (JSON_TOOL, SCHEMA)
    assert json_tool({})["input_schema"] == ANY
