"""Ollama's answers as chat completions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Event
from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal
from ailb.usage import Usage
from providers.ollama import Ollama
from tests.providers.ollama_wire import (
    NEEDS_WIRE,
    RECEIVED,
    Json,
    decode,
    line,
    ndjson,
    prompt,
    recordings,
    said_native,
    told_stream,
    told_whole,
)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def whole(**more: Any) -> Event:
    return Ollama().whole(prompt(), json.dumps({**line("Hi", done=True), **more}).encode())


def called(*calls: Any) -> list[Json]:
    message = whole(message={"content": "", "tool_calls": list(calls)}).data["choices"][0]["message"]
    made: list[Json] = message["tool_calls"]
    return made


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("body"))
def test_a_recorded_answer_is_told_in_full(record: Json) -> None:
    body = record["response"]["body"]
    expected = said_native([body])
    event = Ollama().whole(prompt(), json.dumps(body).encode())
    told = told_whole(event)
    assert (expected.text, expected.reasoning, expected.calls) == (told.text, told.reasoning, told.calls)
    assert (expected.finish, expected.tokens) == (told.reason, told.tokens)
    assert (body["model"], Usage(*expected.tokens)) == (event.data["model"], event.usage)


def test_the_shape_of_a_chat_completion() -> None:
    data = whole(prompt_eval_count=3, eval_count=4).data
    assert ("chat.completion", RECEIVED, "m") == (data["object"], data["created"], data["model"])
    assert data["id"].startswith("chatcmpl-")
    message = {"role": "assistant", "content": "Hi", "refusal": None}
    assert [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}] == data["choices"]
    assert 7 == data["usage"]["total_tokens"]


def test_the_id_is_the_answers() -> None:
    assert whole().data["id"] == whole(done_reason="length").data["id"]
    assert whole().data["id"] != whole(created_at="2025-01-01T00:00:01Z").data["id"]


@pytest.mark.parametrize(
    ("more", "finish", "usage"),
    [
        ({}, "stop", Usage()),
        ({"done_reason": "length", "eval_count": 9}, "length", Usage(0, 9)),
        ({"done_reason": "unload"}, "stop", Usage()),
        ({"prompt_eval_count": -1, "eval_count": "7"}, "stop", Usage()),
        ({"message": {"content": "", "tool_calls": [{"function": {"name": "f"}}]}}, "tool_calls", Usage()),
        ({"message": {"tool_calls": [{"function": {"name": "f"}}]}, "done_reason": "length"}, "length", Usage()),
    ],
)
def test_the_finish_and_the_usage(more: Json, finish: str, usage: Usage) -> None:
    event = whole(**more)
    assert (finish, usage) == (event.data["choices"][0]["finish_reason"], event.usage)


@pytest.mark.parametrize(
    ("given", "expected"),
    [({"x": [1.5, "ä"]}, '{"x":[1.5,"ä"]}'), ({}, "{}"), (None, "{}"), ("", "{}"), ('{"x": 1}', '{"x": 1}'), ([], "{}"), ([1], "[1]")],
)
def test_arguments_become_a_text(given: Any, expected: str) -> None:
    (call,) = called({"id": "call_1", "function": {"index": 0, "name": "f", "arguments": given}})
    assert {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": expected}} == call


def test_ids_are_there_once_and_always_the_same() -> None:
    function = {"function": {"name": "f"}}
    calls = [function, {"id": "a", **function}, {"id": "a", **function}, {"id": "", **function}, {"id": 5, **function}]
    ids = [call["id"] for call in called(*calls)]
    assert ids == [call["id"] for call in called(*calls)]
    assert (5, "a") == (len(set(ids)), ids[1])
    assert all(id.startswith("call_") and id.replace("_", "").isalnum() for id in ids if id != "a")


def test_a_call_without_words_has_no_content() -> None:
    message = whole(message={"content": "", "tool_calls": [{"function": {"name": "f"}}]}).data["choices"][0]["message"]
    assert message["content"] is None
    assert "" == whole(message={"content": ""}).data["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"5", b"{}", b'{"message": "x"}', b'{"done": true}', b'{"message": {"tool_calls": [{}]}}', b'{"message": {"to'],
)
def test_what_is_no_answer_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        Ollama().whole(prompt(), body)


@pytest.mark.parametrize("native", [True, False])
def test_an_error_inside_a_200_is_a_refusal(native: bool) -> None:
    with pytest.raises(UpstreamRefusal, match="no memory"):
        Ollama().whole(prompt(native=native), b'{"error": "no memory"}')


@given(message=st.fixed_dictionaries({}, optional={"content": ANY_JSON, "thinking": ANY_JSON, "tool_calls": ANY_JSON}), more=ANY_JSON)
def test_odd_answers_are_answers_or_failures(message: Json, more: Any) -> None:
    body = json.dumps({**line(done=True), "message": message, "eval_count": more, "done_reason": more, "model": more}).encode()
    try:
        event = Ollama().whole(prompt(), body)
    except UpstreamFailure:
        return
    assert "assistant" == event.data["choices"][0]["message"]["role"]


@given(st.lists(st.tuples(st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.integers(-100, 100)))))
def test_text_reasoning_and_calls_survive_whole_and_streamed(said: list[tuple[str, str, Json]]) -> None:
    calls = [{"function": {"name": f"f{index}", "arguments": arguments}} for index, (_, _, arguments) in enumerate(said)]
    lines = [line(text, thinking=thinking, tool_calls=[call]) for (text, thinking, _), call in zip(said, calls, strict=True)]
    events, _ = decode(ndjson(*lines, line(done=True)))
    expected = said_native([*lines, line(done=True)])
    message = {"content": expected.text, "thinking": expected.reasoning, "tool_calls": calls}
    for told in (told_stream(events), told_whole(whole(message=message))):
        assert (expected.text, expected.reasoning, expected.calls) == (told.text, told.reasoning, told.calls)
