from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.chat import Chunks, completion
from ailb.dialect import Event
from ailb.usage import Usage
from middleware.memory_heard import MOST, Heard
from providers.anthropic_native import MessagesEvent
from providers.ollama_native import OllamaEvent
from tests.middleware.test_memory_messages import JSON

CHUNKS = Chunks("id", "m", 0, wants_usage=True)
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "s"}


def heard(*events: Event, cut_off: bool = False) -> Any:
    made = Heard()
    assert [made.see(event) for event in events] == list(events)
    return made.message(cut_off=cut_off)


def whole(**message: Any) -> Event:
    return completion("id", "m", 0, message, finish="stop", usage=Usage())


def anthropic(*events: dict[str, Any]) -> list[Event]:
    return [MessagesEvent.chunk(event) for event in events]


def started(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def grown(index: int, kind: str, **delta: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def test_a_whole_answer() -> None:
    assert {"role": "assistant", "content": "Hi"} == heard(whole(content="Hi"))
    assert {"role": "assistant", "content": None, "tool_calls": [CALL]} == heard(whole(tool_calls=[CALL]))
    assert "No." == heard(whole(refusal="No."))["content"]
    assert heard(whole(content="")) is None


def test_a_streamed_answer_is_the_same() -> None:
    events = [CHUNKS.delta({"role": "assistant", "content": ""}), CHUNKS.delta({"content": "He"}), CHUNKS.delta({"content": "y"})]
    calls = [CHUNKS.tool(0, "c", "f", '{"a"'), CHUNKS.arguments(0, ": 1}"), CHUNKS.delta({}, "tool_calls"), CHUNKS.usage(Usage())]
    assert {"role": "assistant", "content": "Hey", "tool_calls": [CALL]} == heard(*events, *calls)


def test_reasoning_and_its_signature_are_kept() -> None:
    pieces = [CHUNKS.delta({"reasoning_content": text}) for text in ("h", "m")]
    signed = CHUNKS.delta({"thinking_blocks": [{**SIGNED, "index": 0}]})
    expected = {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "thinking_blocks": [SIGNED]}
    assert expected == heard(*pieces, signed, CHUNKS.delta({"content": "Hi"}))
    assert expected == heard(whole(content="Hi", reasoning_content="hm", thinking_blocks=[SIGNED]))


@pytest.mark.parametrize(
    ("events", "ended"),
    [
        ([whole(content="Hi")], [True]),
        ([CHUNKS.delta({"content": "Hi"}), CHUNKS.delta({}, "stop"), CHUNKS.usage(Usage())], [False, True, True]),
        (anthropic(grown(0, "text_delta", text="Hi"), {"type": "message_delta"}, {"type": "message_stop"}), [False, True, True]),
        ([MessagesEvent.whole({"type": "message", "content": []})], [True]),
        ([OllamaEvent.chunk({"message": {}, "done": done}) for done in (False, True)], [False, True]),
    ],
)
def test_it_tells_once_that_an_answer_is_over(events: list[Event], ended: list[bool]) -> None:
    told: list[int] = []
    made = Heard(lambda: told.append(1))
    found = []
    for event in events:
        made.see(event)
        found.append(made.ended)
    assert (ended, [1]) == (found, told)


def test_of_several_choices_the_first_is_the_answer() -> None:
    other = Event.chunk({"choices": [{"index": 1, "delta": {"content": "B"}}, {"index": 0, "delta": {"content": "A"}}]})
    assert "A" == heard(other)["content"]


def test_what_claude_says_to_a_client_of_his_own() -> None:
    use = {"type": "tool_use", "id": "c", "name": "f"}
    content = [SIGNED, {"type": "text", "text": "Hey"}, {**use, "input": {"a": 1}}]
    streamed = anthropic(
        {"type": "message_start", "message": {"content": []}},
        started(0, type="thinking", thinking="", signature=""),
        grown(0, "thinking_delta", thinking="h"),
        grown(0, "thinking_delta", thinking="m"),
        grown(0, "signature_delta", signature="s"),
        started(1, type="text", text=""),
        grown(1, "text_delta", text="He"),
        grown(1, "text_delta", text="y"),
        started(2, **use, input={}),
        grown(2, "input_json_delta", partial_json='{"a"'),
        grown(2, "input_json_delta", partial_json=":1}"),
        {"type": "message_stop"},
    )
    for events in (streamed, [MessagesEvent.whole({"type": "message", "content": content})]):
        made = heard(*events)
        assert ("Hey", "hm", [SIGNED]) == (made["content"], made["reasoning_content"], made["thinking_blocks"])
        assert [{**CALL, "function": {"name": "f", "arguments": '{"a":1}'}}] == made["tool_calls"]


def test_what_ollama_says_to_a_client_of_its_own() -> None:
    lines: list[dict[str, Any]] = [{"message": {"role": "assistant", "content": text, "thinking": "h"}} for text in ("He", "y")]
    call = {"message": {"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}}
    made = heard(*(OllamaEvent.chunk(line) for line in [*lines, call]))
    expected = [{"id": "call_0", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]
    assert ("Hey", "hh", expected) == (made["content"], made["reasoning_content"], made["tool_calls"])


def test_of_an_answer_that_was_cut_there_is_its_text() -> None:
    said = [CHUNKS.delta({"content": "He"}), CHUNKS.tool(0, "c", "f", '{"a')]
    assert {"role": "assistant", "content": "He"} == heard(*said, cut_off=True) == heard(*said)
    assert heard(CHUNKS.tool(0, "c", "f", "{}"), cut_off=True) is None
    assert heard(cut_off=True) is None


def test_it_does_not_listen_for_ever() -> None:
    event = CHUNKS.delta({"content": "x" * 100_000})
    assert len(heard(*[event] * 30)["content"]) < MOST


def test_half_a_character_is_replaced() -> None:
    half = Event(b"{}", data={"choices": [{"message": {"content": "a\ud83d"}}]})
    assert "a?" == heard(half)["content"]


@given(JSON, st.sampled_from([Event, MessagesEvent, OllamaEvent]), st.sampled_from(["choices", "message", "content", "delta"]))
def test_any_json_can_be_heard(value: Any, kind: type[Event], member: str) -> None:
    for data in (
        {member: value},
        {"choices": [{"delta": value}]},
        {"index": 0, "content_block": value, "delta": value},
        {"message": {member: value}},
    ):
        made = heard(kind(b"{}", data=data))
        assert made is None or made["role"] == "assistant"


@pytest.mark.parametrize("arguments", ["", "{}", None])
def test_a_call_without_arguments_is_one(arguments: str | None) -> None:
    made = heard(CHUNKS.delta({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": arguments}}]}))
    assert "f" == made["tool_calls"][0]["function"]["name"]
