"""Blocks that grow."""

from typing import Any

import pytest

from ailb.clients.messages_growing import Blocks
from tests.ailb.clients.chats import Json, fragment


def call(*args: Any, **kwargs: Any) -> Json:
    entry: Json = fragment(*args, **kwargs)["tool_calls"][0]
    return entry


def told(blocks: Blocks, *, last: bool = False) -> list[str]:
    """The events in short: `+kind` begins a block, `-` ends it, anything else was added."""
    short = []
    for event in blocks.events(last=last):
        if event["type"] == "content_block_start":
            block = event["content_block"]
            short.append(f"+{block['type']}" + (f" {block['id']} {block['name']}" if "name" in block else ""))
        elif event["type"] == "content_block_delta":
            short.append(next(value for member, value in event["delta"].items() if member != "type"))
        else:
            short.append("-")
    return short


def test_text_and_thinking_are_told_at_once() -> None:
    blocks = Blocks()
    blocks.think("a")
    assert ["+thinking", "a"] == told(blocks)
    blocks.think("b")
    blocks.say("c")
    assert ["b", "-", "+text", "c"] == told(blocks)
    blocks.say("d")
    blocks.think("e")
    assert ["d", "-", "+thinking", "e"] == told(blocks)
    assert ["-"] == told(blocks, last=True)
    assert [] == told(blocks, last=True)


def test_a_call_is_told_as_it_grows() -> None:
    blocks = Blocks()
    blocks.call(call(0, id="a", name="f"), 0)
    assert ["+tool_use a f"] == told(blocks)
    blocks.call(call(0, '{"x'), 0)
    assert ['{"x'] == told(blocks)
    blocks.call(call(0, '":1}'), 0)
    assert ['":1}'] == told(blocks)
    blocks.call(call(1, id="b", name="g"), 0)
    assert ["-", "+tool_use b g"] == told(blocks)
    assert ["-"] == told(blocks, last=True)
    assert blocks.calls == 2


def test_a_later_call_waits_until_the_first_is_complete() -> None:
    blocks = Blocks()
    blocks.call(call(0, '{"x', id="a", name="f"), 0)
    blocks.call(call(1, '{"y', id="b", name="g"), 0)
    assert ["+tool_use a f", '{"x'] == told(blocks)
    blocks.say("done")
    assert [] == told(blocks)
    blocks.call(call(0, '":1}'), 0)
    assert ['":1}', "-", "+tool_use b g", '{"y'] == told(blocks)
    blocks.call(call(1, '":2}'), 0)
    assert ['":2}', "-", "+text", "done"] == told(blocks)


def test_calls_that_never_become_complete_are_told_at_the_end() -> None:
    blocks = Blocks()
    blocks.call(call(0, "{", id="a", name="f"), 0)
    blocks.call(call(1, "", id="b", name="g"), 0)
    assert ["+tool_use a f", "{"] == told(blocks)
    assert ["-", "+tool_use b g", "-"] == told(blocks, last=True)


def test_a_call_begins_when_its_name_is_known() -> None:
    blocks = Blocks("msg_1")
    blocks.call(call(0, "{}"), 0)
    assert [] == told(blocks)
    blocks.call(call(0, "", name="f"), 0)
    assert ["+tool_use toolu_1_0 f", "{}"] == told(blocks)


def test_a_call_that_never_gets_a_name_is_told_at_the_end() -> None:
    blocks = Blocks("msg_1")
    blocks.call(call(0, "{}"), 0)
    assert ["+tool_use toolu_1_0 ", "{}", "-"] == told(blocks, last=True)


@pytest.mark.parametrize(
    "entries",
    [
        [call(0, "{}", id="a", name="f"), call(0, "{}", id="b", name="f")],
        [call(None, "{}", id="a", name="f"), call(None, "{}", id="b", name="f")],
    ],
)
def test_other_ids_at_the_same_place_are_other_calls(entries: list[Json]) -> None:
    blocks = Blocks()
    for entry in entries:
        blocks.call(entry, 0)
    assert ["+tool_use a f", "{}", "-", "+tool_use b f", "{}", "-"] == told(blocks, last=True)


def test_whole_calls_without_ids_at_the_same_place_are_other_calls() -> None:
    blocks = Blocks("msg_1")
    for _ in range(2):
        blocks.call(call(0, "{}", id="", name="f"), 0)
    assert ["+tool_use toolu_1_0 f", "{}", "-", "+tool_use toolu_1_1 f", "{}", "-"] == told(blocks, last=True)


def test_ids_and_names_may_be_said_again() -> None:
    blocks = Blocks()
    blocks.call(call(0, '{"x"', id="a", name="f"), 0)
    blocks.call(call(0, ":1", id="a", name="f"), 0)
    blocks.call(call(0, "}", id="", name=""), 0)
    assert ["+tool_use a f", '{"x"', ":1", "}", "-"] == told(blocks, last=True)


@pytest.mark.parametrize(("arguments", "expected"), [({"x": 1}, ['{"x":1}']), ("  \n{}", ["{}"]), (" ", []), (None, [])])
def test_arguments(arguments: Any, expected: list[str]) -> None:
    blocks = Blocks()
    blocks.call(call(0, arguments, id="a", name="f"), 0)
    assert ["+tool_use a f", *expected, "-"] == told(blocks, last=True)


def test_what_comes_after_a_call_was_complete_is_dropped() -> None:
    blocks = Blocks()
    blocks.call(call(0, "{}", id="a", name="f"), 0)
    blocks.say("so")
    assert ["+tool_use a f", "{}", "-", "+text", "so"] == told(blocks)
    blocks.call(call(0, "\n"), 0)
    assert ["-"] == told(blocks, last=True)


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


def test_a_signature_ends_the_thinking() -> None:
    blocks = Blocks()
    blocks.think("hm")
    blocks.thought(THOUGHT)
    blocks.think("more")
    assert ["+thinking", "hm", "s", "-", "+thinking", "more"] == told(blocks)


def test_thinking_that_was_not_streamed_is_told_whole() -> None:
    blocks = Blocks()
    blocks.thought(THOUGHT)
    blocks.thought({"type": "redacted_thinking", "data": "x"})
    blocks.thought({"type": "thinking", "signature": "t"})
    blocks.thought({"type": "thinking", "thinking": None, "signature": None})
    assert ["+thinking", "hm", "s", "-", "+redacted_thinking", "-", "+thinking", "t", "-"] == told(blocks, last=True)
