"""Ollama's stream as chat completion chunks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ailb.errors import UpstreamBroken, UpstreamRefusal
from ailb.usage import Usage
from providers.ollama import Ollama
from providers.ollama_stream import Lines
from tests.providers.ollama_wire import (
    NEEDS_WIRE,
    RECEIVED,
    Json,
    decode,
    line,
    lines_of,
    ndjson,
    prompt,
    recordings,
    said_native,
    told_stream,
)

CALL = {"function": {"name": "f", "arguments": {"x": 1}}}
SPOKEN = ndjson(
    line(thinking="hm"),
    line("<think>no</think> Grüße "),
    line("\u2028☕"),
    line(tool_calls=[{"id": "call_a", **CALL}]),
    line(tool_calls=[CALL, {"id": "call_a", **CALL}]),
    {**line(done=True), "prompt_eval_count": 3, "eval_count": 4},
)


def deltas(data: bytes) -> list[Json]:
    return [choice["delta"] for event in decode(data)[0] for choice in event.data["choices"]]


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("ndjson"))
def test_a_recorded_stream_is_told_in_full(record: Json) -> None:
    wire = record["response"]["ndjson"]
    expected = said_native(lines_of(wire))
    events, decoder = decode(wire.encode())
    told = told_stream(events)
    assert (expected.text, expected.reasoning, expected.calls) == (told.text, told.reasoning, told.calls)
    assert (expected.finish, expected.tokens) == (told.reason, told.tokens)
    assert decoder.done
    first = {name: events[0].data[name] for name in ("id", "object", "created", "model")}
    assert first["model"] == record["request"]["json"]["model"]
    assert [first] * len(events) == [{name: event.data[name] for name in first} for event in events]


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("ndjson"))
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_recorded_stream_cut_anywhere_gives_the_same_events(record: Json, data: st.DataObject) -> None:
    wire = record["response"]["ndjson"].encode()
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=5))
    assert [event.raw for event in decode(wire)[0]] == [event.raw for event in decode(wire, cuts)[0]]
    decoder = Ollama().decoder(prompt(stream=True))
    decoder.feed(wire[: min([*cuts, wire.rindex(b'"done"')])])
    with pytest.raises(UpstreamBroken):
        decoder.end()


def test_each_byte_alone_gives_the_same_events() -> None:
    expected = [event.raw for event in decode(SPOKEN)[0]]
    assert expected == [event.raw for event in decode(SPOKEN, list(range(len(SPOKEN))))[0]]
    assert expected == [event.raw for event in decode(SPOKEN.replace(b"\n", b"\r\n\r\n").rstrip())[0]]


def test_thinking_text_and_calls_in_the_order_in_which_they_came() -> None:
    said = deltas(SPOKEN)
    assert {"role": "assistant", "content": ""} == said[0]
    expected = [{"reasoning_content": "hm"}, {"content": "<think>no</think> Grüße "}, {"content": "\u2028☕"}]
    assert expected == said[1:4]
    calls = [delta["tool_calls"][0] for delta in said[4:7]]
    assert [0, 1, 2] == [call["index"] for call in calls]
    assert [{"name": "f", "arguments": '{"x":1}'}] * 3 == [call["function"] for call in calls]
    assert "call_a" == calls[0]["id"]
    assert 3 == len({call["id"] for call in calls})
    assert said == deltas(SPOKEN)
    assert {} == said[7]


@pytest.mark.parametrize("wants_usage", [True, False])
def test_the_usage_comes_last_and_is_hidden_from_who_did_not_ask(wants_usage: bool) -> None:
    events, _ = decode(SPOKEN, stream_options={"include_usage": wants_usage})
    assert ([], not wants_usage, Usage(3, 4)) == (events[-1].data["choices"], events[-1].hidden, events[-1].usage)
    assert [("usage" in event.data) for event in events[:-1]] == [wants_usage] * (len(events) - 1)
    assert {RECEIVED} == {event.data["created"] for event in events}


@pytest.mark.parametrize(
    ("last", "finish"),
    [({}, "stop"), ({"done_reason": "length"}, "length"), ({"done_reason": "load"}, "stop"), ({"done_reason": None}, "stop")],
)
def test_how_it_finished(last: Json, finish: str) -> None:
    assert finish == told_stream(decode(ndjson({**line("x", done=True), **last}))[0]).reason


def test_what_comes_after_the_last_line_is_not_read() -> None:
    events, decoder = decode(ndjson(line("x", done=True)) + b"<html>\n" + ndjson({"error": "late"}))
    assert ("x", None, True) == (told_stream(events).text, decoder.error, decoder.done)


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("ndjson", "_reported/ollama"))
def test_a_reported_error_in_the_middle_is_a_refusal(record: Json) -> None:
    events, decoder = decode(record["response"]["ndjson"].encode())
    assert ("Par", None) == (told_stream(events).text, told_stream(events).reason)
    assert isinstance(decoder.error, UpstreamRefusal)
    expected = (500, "an error was encountered while running the model: unexpected EOF", True)
    assert expected == (decoder.error.status, decoder.error.message, decoder.error.retry_elsewhere)


@pytest.mark.parametrize("error", ["gone", {"message": "gone"}])
def test_an_error_at_once_or_without_its_newline_is_a_refusal(error: object) -> None:
    events, decoder = decode(ndjson({"error": error}).rstrip())
    assert isinstance(decoder.error, UpstreamRefusal)
    assert ([], "gone", False) == (events, decoder.error.message, decoder.done)


@pytest.mark.parametrize(
    "bad",
    [
        b"<html><body>502</body></html>\n",
        b"data: {}\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b'{"message": {"content": "x"\n',
        ndjson(line(tool_calls=[{"function": {}}])),
        ndjson(line(tool_calls=["x"])),
        ndjson(line(tool_calls={"function": {"name": "f"}}, done=True)),
    ],
)
def test_what_is_not_ollamas_breaks_the_stream_after_what_was_said(bad: bytes) -> None:
    decoder = Ollama().decoder(prompt(stream=True))
    events = decoder.feed(ndjson(line("x")) + bad)
    assert isinstance(decoder.error, UpstreamBroken)
    assert ("x", False) == (told_stream(events).text, decoder.done)
    with pytest.raises(UpstreamBroken):
        decoder.end()


@pytest.mark.parametrize("data", [b"", b"\n\n", ndjson(line("x")), b"<html>", b'{"detail": "x"}', ndjson(line("x", done=True))[:-5]])
def test_a_stream_without_its_last_line_is_broken(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        decode(data)


@given(st.binary(), st.integers(0, 100))
def test_any_bytes_end_in_a_failure_or_in_done(data: bytes, cut: int) -> None:
    decoder = Ollama().decoder(prompt(stream=True))
    events = [*decoder.feed(data[:cut]), *decoder.feed(data[cut:])]
    assert not (decoder.done and decoder.error)
    with pytest.raises(UpstreamBroken):
        decoder.end()
    assert [] == events


@pytest.mark.parametrize("chunks", [[b"12345678", b"9"], [b"123456789\n"], [b"1\n123456789"], [b"1", b"23456789\n1"]])
def test_a_line_has_a_bound(chunks: list[bytes]) -> None:
    lines = Lines(limit=8)

    def feed() -> None:
        for chunk in chunks:
            lines.feed(chunk)

    with pytest.raises(UpstreamBroken, match="more than 8 bytes"):
        feed()


@given(st.lists(st.binary(max_size=8)), st.data())
def test_lines_are_the_same_however_they_are_cut(parts: list[bytes], data: st.DataObject) -> None:
    text = b"\n".join(parts)
    cut = data.draw(st.integers(0, len(text)))
    lines = Lines()
    expected = [part.strip() for part in text.split(b"\n") if part.strip()]
    assert expected == [*lines.feed(text[:cut]), *lines.feed(text[cut:]), *lines.end()]
