"""Chunks as Anthropic's events."""

from typing import Any

import pytest

from ailb.clients.messages_stream import MessagesEncoder
from ailb.dialect import Event
from ailb.errors import UpstreamBroken, UpstreamRefusal
from ailb.usage import Usage
from providers.anthropic_native import MessagesEvent
from tests.ailb.clients.chats import COUNTED, USED, Json, check_legal, chunks, fragment, parsed

THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
BEGUN = fragment(0, id="a", name="f")


def encoded(events: list[Event], stops: Any = None) -> list[Json]:
    encoder = MessagesEncoder(stops)
    return parsed(b"".join(encoder.feed(event) for event in events) + encoder.end())


def text(text: str) -> Json:
    return {"type": "text", "text": text, "json": ""}


def thinking(text: str, signature: str = "") -> Json:
    return {"type": "thinking", "thinking": text, "signature": signature, "json": ""}


def use(id: str, name: str, json: str) -> Json:
    return {"type": "tool_use", "id": id, "name": name, "input": {}, "json": json}


def redacted(data: str) -> Json:
    return {"type": "redacted_thinking", "data": data, "json": ""}


def filled(block: Json) -> Json:
    """Without the members that putting it together made up."""
    beginnings = {"text": text(""), "thinking": thinking(""), "tool_use": use("", "", ""), "redacted_thinking": redacted("")}
    return {member: block[member] for member in beginnings[block["type"]]}


def test_a_stream_event_by_event() -> None:
    message: Json = {"id": "msg_1", "type": "message", "role": "assistant", "model": "gpt-x", "content": [], "stop_reason": None}
    nothing = dict.fromkeys(COUNTED, 0)
    expected: list[Json] = [
        {"type": "message_start", "message": {**message, "stop_sequence": None, "usage": nothing}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "He"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "llo"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": COUNTED},
        {"type": "message_stop"},
    ]
    assert expected == encoded(chunks({"content": "He"}, {"content": "llo"}))


@pytest.mark.parametrize(
    ("deltas", "finish", "blocks", "reason"),
    [
        ([], "stop", [], "end_turn"),
        ([{"content": "He"}], "length", [text("He")], "max_tokens"),
        ([{"reasoning_content": "h"}, {"reasoning": "m"}, {"content": "so"}], "stop", [thinking("hm"), text("so")], "end_turn"),
        ([{"reasoning_content": "hm", "content": "so"}], "stop", [thinking("hm"), text("so")], "end_turn"),
        (
            [{"reasoning_content": "hm"}, {"thinking_blocks": [{**THOUGHT, "index": 0}]}, {"content": "so"}],
            "stop",
            [thinking("hm", "s"), text("so")],
            "end_turn",
        ),
        (
            [{"thinking_blocks": [{"type": "redacted_thinking", "data": "x"}]}, {"content": "so"}],
            "stop",
            [redacted("x"), text("so")],
            "end_turn",
        ),
        ([{"refusal": "n"}, {"refusal": "o"}], "stop", [text("no")], "refusal"),
        (
            [{"content": "so"}, BEGUN, fragment(0, "{}")],
            "tool_calls",
            [text("so"), use("a", "f", "{}")],
            "tool_use",
        ),
        ([BEGUN], "stop", [use("a", "f", "")], "tool_use"),
        ([fragment(0, '{"x', id="a", name="f")], "length", [use("a", "f", '{"x')], "max_tokens"),
        (
            [
                BEGUN,
                fragment(1, id="b", name="g"),
                fragment(0, "{"),
                fragment(1, "{"),
                fragment(0, "}"),
                fragment(1, "}"),
            ],
            "tool_calls",
            [use("a", "f", "{}"), use("b", "g", "{}")],
            "tool_use",
        ),
        (
            [{"tool_calls": [*fragment(0, "{}", id="a", name="f")["tool_calls"], *fragment(1, "{}", id="b", name="g")["tool_calls"]]}],
            "tool_calls",
            [use("a", "f", "{}"), use("b", "g", "{}")],
            "tool_use",
        ),
        ([{"content": "a"}, BEGUN, fragment(0, "{}"), {"content": "b"}], "stop", [text("a"), use("a", "f", "{}"), text("b")], "tool_use"),
    ],
)
def test_streams(deltas: list[Json], finish: str, blocks: list[Json], reason: str) -> None:
    events = encoded(chunks(*deltas, finish=finish))
    assert blocks == [filled(block) for block in check_legal(events)]
    assert (reason, COUNTED) == (events[-2]["delta"]["stop_reason"], events[-2]["usage"])


def chunk(delta: Json | None, finish: str | None = None, *, used: Usage | None = None, **more: Any) -> Event:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more}
    return Event.chunk({"id": "c", "model": "m", "choices": [choice], **({"usage": used.chat()} if used else {})}, used)


def test_everything_may_be_in_one_chunk() -> None:
    events = encoded([chunk({"role": "assistant", "content": "so", **fragment(None, "{}", id="a", name="f")}, "tool_calls", used=USED)])
    assert [text("so"), use("a", "f", "{}")] == [filled(block) for block in check_legal(events)]
    assert (COUNTED, COUNTED) == (events[0]["message"]["usage"], events[-2]["usage"])


def test_the_message_begins_with_the_first_choice() -> None:
    empty = Event.chunk({"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": []})
    events = encoded([empty, *chunks({"content": "so"})])
    assert "msg_1" == events[0]["message"]["id"]
    assert b"" == MessagesEncoder().feed(empty)


def test_hidden_usage_counts() -> None:
    hidden = Event.chunk({"choices": [], "usage": USED.chat()}, USED, hidden=True)
    assert COUNTED == encoded([chunk({"content": "so"}, "stop"), hidden])[-2]["usage"]


def test_the_last_usage_counts_and_the_first_finish() -> None:
    early = Usage(input=100, output=1)
    events = encoded([chunk({"content": "so"}, used=early), chunk({}, "length", used=early), chunk({"content": ""}, "stop", used=USED)])
    assert ("max_tokens", COUNTED) == (events[-2]["delta"]["stop_reason"], events[-2]["usage"])


def test_other_choices_are_left_out() -> None:
    other = Event.chunk({"choices": [{"index": 1, "delta": {"content": "x"}}]})
    assert [text("so")] == [filled(block) for block in check_legal(encoded([other, chunk({"content": "so"}, "stop")]))]


def test_the_stop_sequence() -> None:
    delta = encoded([chunk({"content": "so"}), chunk(None, "stop", stop_reason="END")], ["END"])[-2]["delta"]
    assert {"stop_reason": "stop_sequence", "stop_sequence": "END"} == delta


def test_a_stream_without_usage_ends_all_the_same() -> None:
    events = encoded(chunks({"content": "so"}, used=None))
    assert [text("so")] == [filled(block) for block in check_legal(events)]
    assert dict.fromkeys(COUNTED, 0) == events[-2]["usage"]


def test_nothing_at_all_is_an_empty_message() -> None:
    assert [] == check_legal(encoded([]))


def test_anthropic_s_own_bytes_are_kept() -> None:
    encoder = MessagesEncoder()
    raw = b'event: message_stop\ndata: {"type":"message_stop"   }\n\n'
    assert raw == encoder.feed(MessagesEvent(raw))
    assert b"" == encoder.feed(MessagesEvent(raw, hidden=True))
    assert b"" == encoder.end()


def test_a_broken_stream_ends_with_an_error_and_nothing_else() -> None:
    encoder = MessagesEncoder()
    encoder.feed(chunk({"content": "so"}))
    refusal = UpstreamRefusal(529, "busy", extra={"anthropic_type": "overloaded_error"})
    assert [{"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}] == parsed(encoder.error(refusal))
    assert [{"type": "error", "error": {"type": "api_error", "message": "cut"}}] == parsed(MessagesEncoder().error(UpstreamBroken("cut")))
