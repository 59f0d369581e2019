"""Anthropic to Anthropic: bytes kept."""

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ailb.dialect import Decoder, Event
from ailb.errors import UpstreamBroken, UpstreamRefusal
from providers.anthropic import Anthropic
from tests.providers.anthropic_wire import NEEDS_WIRE, Json, prompt, recordings, said_stream, said_whole


def decode(data: bytes, cut: int = 0) -> tuple[list[Event], Decoder]:
    decoder = Anthropic().decoder(prompt(native=True, stream=True))
    return [*decoder.feed(data[:cut]), *decoder.feed(data[cut:]), *decoder.end()], decoder


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse"))
def test_a_recorded_stream_goes_on_byte_for_byte(record: Json) -> None:
    wire = record["response"]["sse"]
    events, decoder = decode(wire.encode())
    assert wire.strip() == b"".join(event.raw for event in events).decode().strip()
    said = said_stream(wire)
    assert said.text == "".join(event.text for event in events)
    assert said.reasoning == "".join(event.reasoning for event in events)
    told = [event.usage for event in events if event.usage is not None]
    assert said.tokens == (told[-1].input, told[-1].output, told[-1].cached)
    assert {"messages"} == {event.dialect for event in events}
    assert decoder.done


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse"))
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_a_recorded_stream_cut_anywhere_gives_the_same_events(record: Json, data: st.DataObject) -> None:
    wire = record["response"]["sse"].encode()
    cut = data.draw(st.integers(0, len(wire)))
    assert [event.raw for event in decode(wire)[0]] == [event.raw for event in decode(wire, cut)[0]]
    decoder = Anthropic().decoder(prompt(native=True, stream=True))
    decoder.feed(wire[: min(cut, wire.rindex(b'"message_stop"'))])
    with pytest.raises(UpstreamBroken):
        decoder.end()


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse", "_reported/anthropic"))
def test_a_reported_error_inside_a_stream_is_a_refusal(record: Json) -> None:
    events, decoder = decode(record["response"]["sse"].encode())
    assert isinstance(decoder.error, UpstreamRefusal)
    assert (decoder.error.status, decoder.error.extra["anthropic_type"]) == (529, "overloaded_error")
    assert "Partial" * any(event.text for event in events) == "".join(event.text for event in events)


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("body", status=200))
def test_a_recorded_answer_goes_on_byte_for_byte(record: Json) -> None:
    body = json.dumps(record["response"]["body"]).encode()
    event = Anthropic().whole(prompt(native=True), b"  " + body + b"\n")
    said = said_whole(record["response"]["body"])
    assert event.usage is not None
    assert (body, said.text, said.reasoning) == (event.raw, event.text, event.reasoning)
    assert said.tokens == (event.usage.input, event.usage.output, event.usage.cached)


def test_names_are_put_back_and_unknown_events_go_on() -> None:
    data = b'data: {"type":"new","x":1.10}\n\nevent: ping\ndata: {"type": "ping"}\n\ndata: {\ndata: "type":"message_stop"}\n\n'
    expected = [
        b'event: new\ndata: {"type":"new","x":1.10}\n\n',
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ]
    events, _ = decode(data)
    assert expected == [event.raw for event in events]
    assert [event.data["type"] for event in events] == ["new", "ping", "message_stop"]
    assert [event.text for event in events] == [""] * 3


@pytest.mark.parametrize("data", [b"", b"<html>", b'{"type": "error", "error": {"type": "api_error"}}', b"[]"])
def test_what_is_no_answer_is_a_failure(data: bytes) -> None:
    with pytest.raises((UpstreamBroken, UpstreamRefusal)):
        Anthropic().whole(prompt(native=True), data)


def test_an_event_can_be_made_from_its_json() -> None:
    events, _ = decode(b'data: {"type":"message_stop"}\n\n')
    made = type(events[0]).chunk({"type": "ping"}, name=b"ping")
    assert (b"event: ping\ndata: " + orjson.dumps({"type": "ping"}) + b"\n\n", "messages") == (made.raw, made.dialect)
