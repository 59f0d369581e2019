"""Streams: every recording, cut anywhere, told as chunks; and what goes wrong in them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from ailb.errors import UpstreamBroken, UpstreamRefusal
from providers.anthropic import Anthropic
from tests.providers.anthropic_streams import START, STOP, block, calls_in, decode, deltas, end, finishes, frames, stream
from tests.providers.anthropic_wire import NEEDS_WIRE, RECEIVED, Json, prompt, recordings, said_stream


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse"))
def test_a_recorded_stream_says_the_same_as_chunks(record: Json) -> None:
    said = said_stream(record["response"]["sse"])
    events, decoder = decode(record["response"]["sse"].encode())
    assert decoder.done
    assert said.text == "".join(event.text for event in events)
    assert said.reasoning == "".join(event.reasoning for event in events)
    assert [(id, name, arguments or "{}") for id, name, arguments in said.calls] == calls_in(events)
    assert [said.finish] == finishes(events)
    usage = events[-1].usage
    assert usage is not None
    assert said.tokens == (usage.input, usage.output, usage.cached)
    assert [event.usage is not None for event in events] == [False] * (len(events) - 1) + [True]


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse"))
def test_openai_s_sdk_puts_a_recorded_stream_together(record: Json) -> None:
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for event in decode(record["response"]["sse"].encode())[0]:
        state.handle_chunk(ChatCompletionChunk.model_validate(event.data))
    said = said_stream(record["response"]["sse"])
    whole = state.current_completion_snapshot.choices[0].message
    assert said.text == (whole.content or "")
    assert [call[:2] for call in said.calls] == [(call.id, call.function.name) for call in whole.tool_calls or ()]


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse"))
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_recorded_stream_cut_anywhere_gives_the_same_chunks(record: Json, data: st.DataObject) -> None:
    wire = record["response"]["sse"].encode()
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=8))
    assert [event.raw for event in decode(wire)[0]] == [event.raw for event in decode(wire, cuts)[0]]


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse"))
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_recorded_stream_that_stops_early_is_broken(record: Json, data: st.DataObject) -> None:
    wire = record["response"]["sse"].encode()
    decoder = Anthropic().decoder(prompt(stream=True))
    decoder.feed(wire[: data.draw(st.integers(0, wire.rindex(b'"message_stop"')))])
    with pytest.raises(UpstreamBroken):
        decoder.end()
    assert not decoder.done


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse", "_reported/anthropic"))
def test_a_reported_error_inside_a_stream_is_a_refusal(record: Json) -> None:
    events, decoder = decode(record["response"]["sse"].encode())
    assert isinstance(decoder.error, UpstreamRefusal)
    assert (decoder.error.status, decoder.error.message, decoder.error.type) == (529, "Overloaded", "server_error")
    assert decoder.error.extra["anthropic_type"] == "overloaded_error"
    assert finishes(events) == []


def test_the_sequence_of_a_plain_answer() -> None:
    text = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hel"}, {"type": "text_delta", "text": "lo"})
    ping: Json = {"type": "ping"}
    events, _ = decode(frames(START, ping, *text, ping, *end("end_turn")), stream_options={"include_usage": True})
    chunk = {"id": "msg_1", "object": "chat.completion.chunk", "created": RECEIVED, "model": "claude-x"}
    expected = [({"role": "assistant", "content": ""}, None), ({"content": "Hel"}, None), ({"content": "lo"}, None), ({}, "stop")]
    assert [
        {**chunk, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], "usage": None}
        for delta, finish in expected
    ] == [event.data for event in events[:-1]]
    assert events[-1].data["choices"] == []
    assert tuple(events[-1].data["usage"][f"{name}_tokens"] for name in ("prompt", "completion", "total")) == (17, 7, 24)
    assert not events[-1].hidden


def test_usage_that_was_not_asked_for_is_hidden() -> None:
    events, _ = decode(stream())
    assert [event.hidden for event in events] == [False, False, True]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("refusal", "content_filter"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "stop"),
        ("something_new", "stop"),
    ],
)
def test_finish_reasons(reason: str, finish: str) -> None:
    assert [finish] == finishes(decode(stream(reason=reason))[0])


def test_blocks_deltas_and_events_that_nobody_knows_are_passed_over() -> None:
    new = block(0, {"type": "hologram"}, {"type": "hologram_delta", "text": "x"})
    lone: list[Json] = [{"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta", "text": "x"}}, {"type": "weather"}]
    events, decoder = decode(stream(new, lone, block(1, {"type": "text"}, {"type": "odd_delta", "text": None})))
    assert deltas(events) == [{"role": "assistant", "content": ""}, {}]
    assert decoder.error is None


def test_openai_s_sentinel_and_what_comes_after_the_end_are_passed_over() -> None:
    events, decoder = decode(stream() + b"event: data\ndata: [DONE]\n\n" + stream())
    assert finishes(events) == ["stop"]
    assert decoder.done


@pytest.mark.parametrize(
    ("kind", "status", "type"),
    [
        ("rate_limit_error", 429, "rate_limit_error"),
        ("api_error", 500, "server_error"),
        ("overloaded_error", 529, "server_error"),
        ("invalid_request_error", 400, "invalid_request_error"),
        ("brand_new_error", 500, "brand_new_error"),
    ],
)
def test_an_error_has_the_status_of_its_type(kind: str, status: int, type: str) -> None:
    _, decoder = decode(frames(START, {"type": "error", "error": {"type": kind, "message": "m"}}))
    assert isinstance(decoder.error, UpstreamRefusal)
    assert (status, type, "m") == (decoder.error.status, decoder.error.type, decoder.error.message)


@pytest.mark.parametrize("data", [b"", b"<html>\n\n<p>no</p>", b'{"type":"error"}', b"event: ping\ndata: {}\n\n"])
def test_what_is_no_stream_is_broken(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        decode(data)


@pytest.mark.parametrize("data", [b"data: <html>\n\n", b"data: [1]\n\n", frames(*block(0, {"type": "text"}))])
def test_events_that_are_not_anthropic_s_are_broken(data: bytes) -> None:
    decoder = Anthropic().decoder(prompt(stream=True))
    assert decoder.feed(data) == []
    assert isinstance(decoder.error, UpstreamBroken)


KINDS = st.sampled_from(["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "error"])
TYPES = st.sampled_from(["text", "thinking", "tool_use", "text_delta", "citations_delta", "input_json_delta"])
MEMBERS = st.sampled_from(["index", "message", "content_block", "delta", "usage", "error", "type", "text", "input", "citation", "id"])
LEAVES = st.none() | st.integers(0, 2) | st.text(max_size=3) | TYPES
JSONISH = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(MEMBERS, inner, max_size=3), max_leaves=4)
ODD = st.tuples(KINDS, st.dictionaries(MEMBERS, JSONISH, max_size=4)).map(lambda drawn: {**drawn[1], "type": drawn[0]})


@settings(deadline=None)
@given(st.lists(ODD, max_size=5))
def test_no_event_is_odd_enough_to_raise_anything_else(odd: list[Json]) -> None:
    decoder = Anthropic().decoder(prompt(stream=True))
    events = decoder.feed(frames(START, *odd, STOP))
    assert decoder.done or decoder.error is not None
    assert all(event.data["object"] == "chat.completion.chunk" for event in events)
