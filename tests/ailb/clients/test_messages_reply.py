"""Whole chat completions as Messages."""

from typing import Any

import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from ailb.clients.messages_reply import message
from ailb.dialect import Event
from ailb.usage import Usage
from tests.ailb.clients.chats import COUNTED, NEEDS_WIRE, Json, call, recorded, whole

THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


def text(text: str) -> Json:
    return {"type": "text", "text": text}


def use(id: str, name: str = "f", input: Any = None) -> Json:
    return {"type": "tool_use", "id": id, "name": name, "input": input or {}}


def test_a_message() -> None:
    expected = {"id": "msg_1", "type": "message", "role": "assistant", "model": "gpt-x", "content": [text("Hello")]}
    assert {**expected, "stop_reason": "end_turn", "stop_sequence": None, "usage": COUNTED} == message(whole({"content": "Hello"}))


@pytest.mark.parametrize(
    ("answer", "finish", "content", "reason"),
    [
        ({"content": ""}, "stop", [], "end_turn"),
        ({"content": "He"}, "length", [text("He")], "max_tokens"),
        ({"content": None, "refusal": "no"}, "stop", [text("no")], "refusal"),
        ({"content": "no"}, "content_filter", [text("no")], "refusal"),
        ({"tool_calls": [call("a", "f", '{"x":1}')]}, "tool_calls", [use("a", input={"x": 1})], "tool_use"),
        ({"content": "so", "tool_calls": [call("a", "f"), call("b", "g")]}, "stop", [text("so"), use("a"), use("b", "g")], "tool_use"),
        ({"tool_calls": [call("", "f"), call("", "f")]}, "tool_calls", [use("toolu_1_0"), use("toolu_1_1")], "tool_use"),
        ({"content": "so", "tool_calls": None}, "tool_calls", [text("so")], "end_turn"),
        ({"content": "so", "reasoning_content": "hm"}, "stop", [{**THOUGHT, "signature": ""}, text("so")], "end_turn"),
        ({"content": "so", "reasoning_content": "hm", "thinking_blocks": [THOUGHT]}, "stop", [THOUGHT, text("so")], "end_turn"),
        ({"tool_calls": [{"id": "a", "function": None}]}, "stop", [use("a", "")], "tool_use"),
    ],
)
def test_answers(answer: Json, finish: str, content: list[Json], reason: str) -> None:
    made = message(whole(answer, finish))
    assert (content, reason) == (made["content"], made["stop_reason"])


@pytest.mark.parametrize(
    ("arguments", "input"),
    [
        ("", {}),
        (" ", {}),
        ("null", {}),
        (None, {}),
        ("{}", {}),
        ({"x": 1}, {"x": 1}),
        ('{"x": 123456789012345678901}', {"x": 123456789012345678901}),
        ('{"x', {"INVALID_JSON": '{"x'}),
        ("[1]", {"INVALID_JSON": "[1]"}),
    ],
)
def test_arguments_become_an_object(arguments: Any, input: Json) -> None:
    assert [use("a", input=input)] == message(whole({"tool_calls": [call("a", "f", arguments)]}))["content"]


@pytest.mark.parametrize("data", [{}, {"choices": None}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": None}]}])
def test_an_answer_without_anything_is_an_empty_message(data: Json) -> None:
    made = message(Event.whole(data))
    assert ([], "end_turn", 0) == (made["content"], made["stop_reason"], made["usage"]["output_tokens"])


@NEEDS_WIRE
@pytest.mark.parametrize("record", recorded("body"))
def test_a_recorded_answer_says_the_same(record: Json) -> None:
    body = record["response"]["body"]
    made = Message.model_validate(message(Event.whole(body)))
    given = body["choices"][0]["message"]
    calls = [c.get("function", {}).get("name", "") for c in given.get("tool_calls") or ()]
    assert calls == [block.name for block in made.content if block.type == "tool_use"]
    if isinstance(given.get("content"), str):
        said = given["content"] + (given.get("refusal") or "")
        assert said == "".join(block.text for block in made.content if block.type == "text")
    counts, used = made.usage, body.get("usage") or {}
    cached = (counts.cache_read_input_tokens or 0) + (counts.cache_creation_input_tokens or 0)
    assert (used.get("prompt_tokens") or 0, used.get("completion_tokens") or 0) == (counts.input_tokens + cached, counts.output_tokens)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 60), 1 << 60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ANSWERS = ("content", "refusal", "reasoning", "reasoning_content", "reasoning_details", "thinking_blocks", "tool_calls")
ENTRY = st.fixed_dictionaries({}, optional=dict.fromkeys(("type", "text", "thinking", "id", "index", "function", "signature"), JUNK))
CHOICE = st.fixed_dictionaries(
    {"message": JUNK | st.fixed_dictionaries({}, optional=dict.fromkeys(ANSWERS, JUNK | st.lists(ENTRY, max_size=3)))},
    optional={"finish_reason": JUNK, "stop_reason": JUNK, "index": JUNK},
)


@given(st.fixed_dictionaries({"choices": JUNK | st.lists(CHOICE, max_size=2)}, optional={"id": JUNK, "model": JUNK, "usage": JUNK}))
def test_whatever_came_it_is_a_message(data: Json) -> None:
    made = Message.model_validate(message(Event.whole(data, Usage())))
    assert made.stop_reason is not None
