"""The messages of a chat completion as Ollama's."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.errors import BadRequest
from providers.ollama_messages import conversation
from tests.providers.ollama_wire import Json


def call(id: str, name: str, arguments: Any = "{}") -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"role": "system", "content": "s"}, {"role": "system", "content": "s"}),
        ({"role": "developer", "content": [{"type": "text", "text": "d"}], "name": "x"}, {"role": "system", "content": "d"}),
        ({"role": "user", "content": ""}, {"role": "user", "content": ""}),
        ({"role": "assistant", "content": None, "refusal": None}, {"role": "assistant", "content": ""}),
        ({"role": "assistant", "content": "a", "tool_calls": []}, {"role": "assistant", "content": "a"}),
        ({"role": "assistant", "tool_calls": {}}, {"role": "assistant", "content": ""}),
        ({"role": "assistant", "content": "a", "reasoning_content": "r"}, {"role": "assistant", "content": "a", "thinking": "r"}),
        ({"role": "assistant", "content": "a", "reasoning": "r"}, {"role": "assistant", "content": "a", "thinking": "r"}),
        ({"role": "tool", "content": "5", "tool_call_id": "never"}, {"role": "tool", "content": "5", "tool_call_id": "never"}),
        ({"role": "tool", "content": "5", "name": "f"}, {"role": "tool", "content": "5", "tool_name": "f"}),
    ],
)
def test_one_message(given: Json, expected: Json) -> None:
    assert [expected] == conversation([given])


def test_results_name_the_tool_of_their_call() -> None:
    made = conversation(
        [
            {"role": "assistant", "content": None, "tool_calls": [call("a", "f", ' {"x": 1} '), call("b", "g", "")]},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "two"}]},
            {"role": "tool", "tool_call_id": "a", "content": "one"},
            {"role": "assistant", "content": "", "tool_calls": [call("a", "h")]},
            {"role": "tool", "tool_call_id": "a", "content": "again"},
        ]
    )
    calls = [
        {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}},
        {"id": "b", "function": {"name": "g", "arguments": {}}},
    ]
    assert {"role": "assistant", "content": "", "tool_calls": calls} == made[0]
    assert [("g", "two"), ("f", "one"), ("h", "again")] == [(m["tool_name"], m["content"]) for m in made if m["role"] == "tool"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {}),
        ("", {}),
        ("  ", {}),
        ("{}", {}),
        ({"a": 1}, {"a": 1}),
        ('{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
    ],
)
def test_arguments_become_an_object(given: Any, expected: Json) -> None:
    (made,) = conversation([{"role": "assistant", "tool_calls": [call("a", "f", given)]}])
    assert expected == made["tool_calls"][0]["function"]["arguments"]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"content": "x"}, "messages[0].role"),
        ({"role": "function", "content": "x"}, "messages[0].role"),
        ({"role": ["user"], "content": "x"}, "messages[0].role"),
        ({"role": "assistant", "function_call": {"name": "f"}}, "messages[0].function_call"),
        ({"role": "assistant", "tool_calls": {"a": 1}}, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": [{"type": "custom"}]}, "messages[0].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [call("a", "f"), call("b", "")]}, "messages[0].tool_calls[1]"),
        ({"role": "assistant", "tool_calls": [call("a", "f", '{"x": ')]}, "messages[0].tool_calls[0].function.arguments"),
        ({"role": "assistant", "tool_calls": [call("a", "f", "[1]")]}, "messages[0].tool_calls[0].function.arguments"),
        ({"role": "assistant", "tool_calls": [call("a", "f", 5)]}, "messages[0].tool_calls[0].function.arguments"),
        ({"role": "user", "content": 5}, "messages[0].content"),
    ],
)
def test_what_cannot_be_said_is_named(message: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        conversation([message])
    assert param == refused.value.param


@given(st.lists(st.tuples(st.text(min_size=1), st.dictionaries(st.text(), st.integers() | st.text()), st.text())))
def test_calls_and_results_survive(turns: list[tuple[str, Json, str]]) -> None:
    messages: list[Json] = []
    for place, (name, arguments, result) in enumerate(turns):
        messages.append({"role": "assistant", "content": None, "tool_calls": [call(f"c{place}", name, json.dumps(arguments))]})
        messages.append({"role": "tool", "tool_call_id": f"c{place}", "content": result})
    made = conversation(messages)
    functions = [message["tool_calls"][0]["function"] for message in made[::2]]
    assert [(name, arguments) for name, arguments, _ in turns] == [(function["name"], function["arguments"]) for function in functions]
    assert [(name, result) for name, _, result in turns] == [(message["tool_name"], message["content"]) for message in made[1::2]]
