"""What compatible servers say, in Anthropic's words."""

from typing import Any

import pytest

from ailb.clients.messages_chat import call_id, choice, counted, ending, head, reasoning, said, thoughts, usage
from ailb.dialect import Event
from ailb.usage import Usage
from tests.ailb.clients.chats import COUNTED, USED, Json

THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
MISTRAL = {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "so"}]}


@pytest.mark.parametrize(
    ("id", "expected"),
    [("chatcmpl-1", "msg_1"), ("msg_1", "msg_1"), ("", "msg_0"), (None, "msg_0"), (7, "msg_0"), ("gen:1.2", "msg_gen_1_2")],
)
def test_the_id(id: Any, expected: str) -> None:
    assert expected == head({"id": id}, COUNTED)["id"]


def test_the_head() -> None:
    expected: Json = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    assert {**expected, "stop_reason": None, "stop_sequence": None, "usage": COUNTED} == head({"id": "1", "model": "m"}, COUNTED)


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        (None, None),
        ([], None),
        (["x"], None),
        ([{"index": 1}], None),
        ([{"index": 1}, {"index": 0, "a": 1}], {"index": 0, "a": 1}),
        ([{"a": 1}], {"a": 1}),
        ([{"index": None}], {"index": None}),
    ],
)
def test_the_first_choice(choices: Any, expected: Json | None) -> None:
    assert expected == choice({"choices": choices})


@pytest.mark.parametrize(
    ("part", "words", "thought"),
    [
        ({}, "", ""),
        ({"content": None, "reasoning_content": None}, "", ""),
        ({"content": "so", "reasoning_content": "hm"}, "so", "hm"),
        ({"content": "so", "reasoning": "hm"}, "so", "hm"),
        ({"reasoning": "hm", "reasoning_content": "hm", "reasoning_details": [{"text": "hm"}]}, "", "hm"),
        ({"reasoning": {"effort": 1}, "reasoning_details": [{"text": "h"}, {"summary": "m"}, {"data": "x"}, 7]}, "", "hm"),
        (MISTRAL, "so", "hm"),
        ({"content": None, "refusal": "no"}, "no", ""),
        ({"content": {"a": 1}, "refusal": 7}, "", ""),
    ],
)
def test_words_and_thoughts(part: Json, words: str, thought: str) -> None:
    assert (words, thought) == (said(part), reasoning(part))


def test_claude_s_own_thoughts() -> None:
    redacted = {"type": "redacted_thinking", "data": "x"}
    given = {"thinking_blocks": [{**THOUGHT, "index": 0}, redacted, {"type": "new"}, {"type": ["thinking"]}, 7]}
    assert [THOUGHT, redacted] == thoughts(given)
    assert [] == thoughts({"thinking_blocks": None})


@pytest.mark.parametrize(
    ("given", "expected"),
    [("call_1", "call_1"), ("functions.f:0", "functions_f_0"), ("", "toolu_a_3"), (None, "toolu_a_3"), (7, "toolu_a_3")],
)
def test_call_ids(given: Any, expected: str) -> None:
    assert expected == call_id(given, "msg_a", 3)


@pytest.mark.parametrize(
    ("finish", "calls", "refused", "reason"),
    [
        ("stop", False, False, "end_turn"),
        ("stop", True, False, "tool_use"),
        ("stop", False, True, "refusal"),
        ("length", True, False, "max_tokens"),
        ("tool_calls", True, False, "tool_use"),
        ("tool_calls", False, False, "end_turn"),
        ("function_call", True, False, "tool_use"),
        ("content_filter", False, False, "refusal"),
        ("content_filter", True, False, "refusal"),
        (None, False, False, "end_turn"),
        ("eos", False, False, "end_turn"),
        ({"odd": 1}, False, False, "end_turn"),
    ],
)
def test_the_reason(finish: Any, calls: bool, refused: bool, reason: str) -> None:
    assert {"stop_reason": reason, "stop_sequence": None} == ending({"finish_reason": finish}, None, calls=calls, refused=refused)


@pytest.mark.parametrize(
    ("stop", "stops", "expected"),
    [
        ("END", ["END"], ("stop_sequence", "END")),
        ("END", None, ("end_turn", None)),
        ("END", ["X"], ("end_turn", None)),
        (7, [7], ("end_turn", None)),
    ],
)
def test_the_stop_sequence_where_the_server_tells(stop: Any, stops: Any, expected: tuple[str, str | None]) -> None:
    made = ending({"finish_reason": "stop", "stop_reason": stop}, stops, calls=False, refused=False)
    assert expected == (made["stop_reason"], made["stop_sequence"])


def test_the_cache_is_counted_apart() -> None:
    assert COUNTED == counted(USED)
    assert COUNTED["input_tokens"] + 30 + 60 == USED.input


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Event.whole({}), None),
        (Event.whole({"usage": None}), None),
        (Event.whole({"usage": USED.chat()}), COUNTED),
        (Event.whole({"usage": {}}, USED), COUNTED),
        (Event.whole({"usage": {**USED.chat(), "cost": 0.25}}, USED), {**COUNTED, "cost": 0.25}),
        (Event.whole({"usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}}), {**counted(Usage(5, 0, 5))}),
    ],
)
def test_usage(event: Event, expected: Json | None) -> None:
    assert expected == usage(event)
