"""Chat completions as Ollama tells its answers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.chat import Chunks, completion
from ailb.clients.ollama_prompt import OllamaPrompt
from ailb.clients.ollama_reply import OllamaEncoder, error, whole
from ailb.dialect import Event
from ailb.errors import UpstreamBroken, UpstreamStalled
from ailb.usage import Usage
from providers.ollama import Ollama
from providers.ollama_native import OllamaEvent
from tests.providers.ollama_wire import NEEDS_WIRE, Json, lines_of, recordings, said_native
from tests.providers.ollama_wire import prompt as chat_prompt

RECEIVED = 1_700_000_000
CREATED = "2023-11-14T22:13:20Z"
CHUNKS = Chunks("chatcmpl-1", "gpt", RECEIVED, wants_usage=True)
USAGE = Usage(input=3, output=4, cached=1)
CHAT = chat_prompt(stream_options={"include_usage": True})


def prompt(**body: Any) -> OllamaPrompt:
    made = OllamaPrompt({"model": "asked", "messages": [{"role": "user", "content": "hi"}], **body}, {})
    made.received = RECEIVED
    return made


def told(*events: Event) -> list[Json]:
    encoder = OllamaEncoder(prompt())
    return lines_of(b"".join([*map(encoder.feed, events), encoder.end()]))


def line(content: str = "", *, model: str = "gpt", **message: Any) -> Json:
    base = {"model": model, "created_at": CREATED, "message": {"role": "assistant", "content": content, **message}}
    return {**base, "done": False}


def last(reason: str = "stop", *, model: str = "gpt", **more: Any) -> Json:
    return {**line(model=model), "done": True, "done_reason": reason, **more}


def call(id: str, index: int, name: str, arguments: Json) -> Json:
    return {"id": id, "function": {"index": index, "name": name, "arguments": arguments}}


def test_a_stream_of_text_and_reasoning() -> None:
    events = [
        CHUNKS.delta({"role": "assistant", "content": ""}),
        CHUNKS.delta({"reasoning_content": "hm"}),
        CHUNKS.delta({"reasoning": "so"}),
        CHUNKS.delta({"content": "Grüße\n\u2028"}),
        CHUNKS.delta({"refusal": "no"}),
        CHUNKS.delta({}, "stop"),
        CHUNKS.usage(USAGE),
    ]
    expected = [line(thinking="hm"), line(thinking="so"), line("Grüße\n\u2028"), line("no"), last(prompt_eval_count=3, eval_count=4)]
    encoder = OllamaEncoder(prompt())
    raw = [encoder.feed(event) for event in events] + [encoder.end()]
    assert expected == [json.loads(data) for data in raw if data]
    assert [b"\n"] * 5 == [data[-1:] for data in raw if data]
    assert {1} == {data.count(b"\n") for data in raw if data}


def test_calls_wait_until_they_are_whole() -> None:
    events = [
        CHUNKS.tool(0, "a", "f"),
        CHUNKS.arguments(0, '{"x"'),
        CHUNKS.tool(1, "b", "g", ""),
        CHUNKS.arguments(0, ": 1}"),
        CHUNKS.delta({"content": "x"}),
        CHUNKS.delta({"tool_calls": [{"id": "c", "function": {"name": "h", "arguments": "{}"}}]}),
        CHUNKS.delta({}, "tool_calls"),
    ]
    calls = [call("a", 0, "f", {"x": 1}), call("b", 1, "g", {}), call("c", 2, "h", {})]
    assert [line("x"), *(line(tool_calls=[one]) for one in calls), last()] == told(*events)


@pytest.mark.parametrize(
    ("reason", "expected"), [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), ("content_filter", "stop"), (None, "stop")]
)
def test_the_reason(reason: str | None, expected: str) -> None:
    assert last(expected) == told(CHUNKS.delta({}, reason))[-1]


def test_other_choices_empty_chunks_and_odd_ones_say_nothing() -> None:
    second = Event.chunk({"model": "gpt", "choices": [{"index": 1, "delta": {"content": "no"}}]})
    odd = Event.chunk({"model": "gpt", "choices": ["x", {"delta": ["x"]}, 5]})
    odder = Event.chunk({"model": "gpt", "choices": [{"delta": {"content": 5, "tool_calls": "x"}}]})
    empty = Event.chunk({"model": "gpt", "choices": None})
    assert [last()] == told(second, odd, odder, empty)


def test_a_hidden_event_is_not_sent_but_its_usage_counts() -> None:
    hidden = Event.chunk({"model": "no", "choices": [{"delta": {"content": "no"}}]}, USAGE, hidden=True)
    assert [last(model="asked", prompt_eval_count=3, eval_count=4)] == told(hidden)


def test_nothing_at_all_still_ends() -> None:
    assert [last(model="asked")] == told()


def test_native_lines_go_out_as_they_are() -> None:
    encoder = OllamaEncoder(prompt())
    raw = [b'{"message":{"content":"a"},"x":1.10}\n', b'{"done":true}\n']
    assert [*raw, b""] == [*(encoder.feed(OllamaEvent(data)) for data in raw), encoder.end()]
    assert b"" == encoder.feed(OllamaEvent(raw[0], hidden=True))


def test_a_stream_that_breaks_does_not_look_whole() -> None:
    encoder = OllamaEncoder(prompt())
    encoder.feed(CHUNKS.delta({"content": "Par"}))
    assert b'{"error":"it fell silent"}\n' == encoder.error(UpstreamStalled("it fell silent"))
    assert b'{"error":"it fell silent"}' == error(UpstreamStalled("it fell silent"))


def answered(message: Json, finish: str = "stop") -> Json:
    event = completion("chatcmpl-1", "gpt", RECEIVED, message, finish=finish, usage=USAGE)
    made: Json = json.loads(whole(prompt(stream=False), event))
    return made


def function(name: str, arguments: Any, id: str = "a") -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("message", "finish", "expected", "reason"),
    [
        ({"content": "Hi"}, "stop", {"content": "Hi"}, "stop"),
        ({"content": "Hi", "reasoning_content": "r"}, "length", {"content": "Hi", "thinking": "r"}, "length"),
        ({"refusal": "no"}, "stop", {"content": "no"}, "stop"),
        ({"tool_calls": [function("f", "")]}, "tool_calls", {"content": "", "tool_calls": [call("a", 0, "f", {})]}, "stop"),
        ({"tool_calls": [function("f", {"x": 1})]}, "stop", {"content": "", "tool_calls": [call("a", 0, "f", {"x": 1})]}, "stop"),
        (
            {"content": "x", "tool_calls": [function("f", "{}"), function("g", '{"x": ', "b")]},
            "length",
            {"content": "x", "tool_calls": [call("a", 0, "f", {})]},
            "length",
        ),
    ],
)
def test_a_whole_answer(message: Json, finish: str, expected: Json, reason: str) -> None:
    made = {**last(reason, prompt_eval_count=3, eval_count=4), "message": {"role": "assistant", **expected}}
    assert made == answered(message, finish)


def test_a_native_answer_goes_out_as_it_is() -> None:
    assert b'{"message": 1.10}' == whole(prompt(), OllamaEvent(b'{"message": 1.10}'))


@pytest.mark.parametrize("arguments", ['{"x": ', "[1]", "x"])
def test_a_call_that_cannot_be_told_is_no_answer(arguments: str) -> None:
    with pytest.raises(UpstreamBroken, match="call of f"):
        answered({"tool_calls": [function("f", arguments)]})
    with pytest.raises(UpstreamBroken, match="call of f"):
        told(CHUNKS.tool(0, "a", "f", arguments), CHUNKS.delta({}, "tool_calls"))


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("ndjson"))
def test_a_recorded_stream_comes_back_from_chat_completions(record: Json) -> None:
    wire = record["response"]["ndjson"]
    decoder = Ollama().decoder(CHAT)
    back = told(*decoder.feed(wire.encode()), *decoder.end())
    assert said_native(lines_of(wire)) == said_native(back)


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("body"))
def test_a_recorded_answer_comes_back_from_a_chat_completion(record: Json) -> None:
    body = record["response"]["body"]
    event = Ollama().whole(CHAT, json.dumps(body).encode())
    assert said_native([body]) == said_native([json.loads(whole(prompt(), event))])


@given(
    st.lists(st.tuples(st.sampled_from(["content", "reasoning_content"]), st.text())),
    st.dictionaries(st.text(), st.text() | st.booleans()),
    st.data(),
)
def test_what_is_said_survives(parts: list[tuple[str, str]], arguments: Json, data: st.DataObject) -> None:
    text = json.dumps(arguments)
    cut = data.draw(st.integers(0, len(text)))
    events = [CHUNKS.delta({name: said}) for name, said in parts]
    events += [CHUNKS.tool(0, "a", "f", text[:cut]), CHUNKS.arguments(0, text[cut:]), CHUNKS.delta({}, "tool_calls"), CHUNKS.usage(USAGE)]
    said = said_native(told(*events))
    expected = ["".join(said for kind, said in parts if kind == name) for name in ("content", "reasoning_content")]
    assert (*expected, [("f", arguments)], (3, 4)) == (said.text, said.reasoning, said.calls, said.tokens)
