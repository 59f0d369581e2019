"""Recorded and made-up chat streams, as Anthropic's SDK puts them together."""

from typing import Any

import orjson
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from ailb import sse
from ailb.dialect import Event
from ailb.usage import Usage
from tests.ailb.clients.chats import NEEDS_WIRE, USED, Json, check_legal, chunks, fragment, recorded
from tests.ailb.clients.test_messages_stream import THOUGHT, chunk, encoded

EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def put_together(events: list[Json]) -> Any:
    """By Anthropic's SDK."""
    message = None
    buffers: dict[int, bytes] = {}
    for event in events:
        message = accumulate_event(event=EVENT.validate_python(event), current_snapshot=message, json_bufs=buffers)
    return message


@NEEDS_WIRE
@pytest.mark.parametrize("record", recorded("sse"))
def test_a_recorded_stream_is_put_together_by_the_sdk(record: Json) -> None:
    parser = sse.Parser()
    frames = parser.feed(record["response"]["sse"].encode()) + parser.end()
    told = [orjson.loads(frame.data) for frame in frames if frame.data.startswith(b"{")]
    events = [Event.chunk(data, Usage.of_chat(data["usage"]) if data.get("usage") else None) for data in told if "error" not in data]
    made = encoded(events)
    check_legal(made)
    deltas = [choice.get("delta") or {} for data in told for choice in data.get("choices") or () if choice.get("index", 0) == 0]
    message = put_together(made)
    if all(isinstance(delta.get("content"), str | None) for delta in deltas):
        said = "".join((delta.get("content") or "") + (delta.get("refusal") or "") for delta in deltas)
        assert said == "".join(block.text for block in message.content if block.type == "text")
    calls: dict[Any, list[str]] = {}
    for call in (call for delta in deltas for call in delta.get("tool_calls") or ()):
        known = calls.setdefault(call.get("index", call.get("id")), ["", ""])
        function = call.get("function") or {}
        known[0] = known[0] or function.get("name") or ""
        known[1] += function.get("arguments") or ""
    blocks = [block for block in check_legal(made) if block["type"] == "tool_use"]
    assert [name for name, _ in calls.values()] == [block["name"] for block in blocks]
    assert [arguments.strip() for _, arguments in calls.values()] == [block["json"].strip() for block in blocks]
    used = next((event.usage for event in reversed(events) if event.usage), Usage())
    cached = message.usage.cache_read_input_tokens + message.usage.cache_creation_input_tokens
    assert (used.input, used.output) == (message.usage.input_tokens + cached, message.usage.output_tokens)


CALLS = st.builds(
    fragment,
    st.integers(0, 2) | st.none(),
    st.sampled_from(["", " ", "{", "}", "{}", '{"a":', "1", None, 7]),
    id=st.sampled_from([None, "", "a", "b", "x:1"]),
    name=st.sampled_from([None, "", "f", "g"]),
)
THOUGHTS = st.sampled_from([THOUGHT, {"type": "redacted_thinking", "data": "x"}, {"type": "thinking"}, {"type": "new"}])
DELTAS = (
    CALLS
    | st.builds(lambda words: {"content": words}, st.text(max_size=3) | st.none())
    | st.builds(lambda words: {"reasoning_content": words}, st.text(max_size=3))
    | st.builds(lambda blocks: {"thinking_blocks": blocks}, st.lists(THOUGHTS, max_size=2))
    | st.builds(lambda words: {"refusal": words}, st.text(max_size=3))
)
CHUNKS = st.builds(chunk, DELTAS, st.sampled_from([None, None, "stop", "length", "tool_calls"]), used=st.sampled_from([None, USED]))


@given(st.lists(CHUNKS, max_size=12))
def test_whatever_comes_the_events_are_legal(events: list[Event]) -> None:
    made = encoded(events)
    blocks = check_legal(made)
    for event in made:
        EVENT.validate_python(event)
    said = "".join((d.get("content") or "") + (d.get("refusal") or "") for e in events for c in e.data["choices"] for d in [c["delta"]])
    assert said == "".join(block["text"] for block in blocks if block["type"] == "text")


@given(st.lists(st.integers(0, 2), max_size=30))
def test_calls_that_come_mixed_are_each_told_whole(order: list[int]) -> None:
    """Three calls whose arguments come letter by letter, in any order."""
    arguments = ['{"a":{"b":1}}', '{"c":[2]}', "{}"]
    left = [list(text) for text in arguments]
    deltas = [fragment(index, id=str(index), name=f"f{index}") for index in range(3)]
    rest = [place for place, text in enumerate(arguments) for _ in text]
    for index in [*order, *rest]:
        if left[index]:
            deltas.append(fragment(index, left[index].pop(0)))
    blocks = check_legal(encoded(chunks(*deltas, finish="tool_calls")))
    assert [("0", arguments[0]), ("1", arguments[1]), ("2", arguments[2])] == [(block["id"], block["json"]) for block in blocks]
