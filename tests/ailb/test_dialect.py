from typing import Any

import orjson
import pytest

from ailb.dialect import Event, Target
from ailb.usage import Usage

TEXTS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "", ""),
    ({"choices": None}, "", ""),
    ({"choices": []}, "", ""),
    ({"choices": [{"delta": {"content": "a"}}]}, "a", ""),
    ({"choices": [{"index": 0, "message": {"content": "a"}}]}, "a", ""),
    ({"choices": [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]}, "a", ""),
    ({"choices": [{"index": 1, "delta": {"content": "b"}}]}, "", ""),
    ({"choices": [{"delta": {"content": None, "reasoning_content": "hm"}}]}, "", "hm"),
    ({"choices": [{"delta": {"content": ["part"]}}]}, "", ""),
    ({"choices": [{"delta": None}]}, "", ""),
    ({"choices": [{}]}, "", ""),
]


@pytest.mark.parametrize(("data", "text", "reasoning"), TEXTS)
def test_the_text_of_an_event_is_its_first_choices(data: dict[str, Any], text: str, reasoning: str) -> None:
    for event in (Event.chunk(data), Event.whole(data)):
        assert (text, reasoning) == (event.text, event.reasoning)


def test_a_chunk_is_one_frame() -> None:
    event = Event.chunk({"a": 1}, Usage(1, 2), hidden=True)
    assert (b'data: {"a":1}\n\n', Usage(1, 2), True, {"a": 1}) == (event.raw, event.usage, event.hidden, event.data)
    assert Event.chunk({"a": 1}, name=b"x").raw == b'event: x\ndata: {"a":1}\n\n'


def test_a_whole_answer_is_its_json() -> None:
    event = Event.whole({"a": 1}, Usage(1))
    assert (b'{"a":1}', Usage(1), False, {"a": 1}) == (event.raw, event.usage, event.hidden, event.data)


@pytest.mark.parametrize("raw", [b'{"a": 1}', b'data: {"a": 1}\n\n', b'event: x\ndata: {"a": 1}\n\n'])
def test_bytes_that_came_are_kept_and_parsed_when_asked(raw: bytes) -> None:
    event = Event(raw)
    assert event.data == {"a": 1}
    assert event.data is event.data
    assert event.raw is raw


def test_data_that_was_parsed_already_is_not_parsed_again() -> None:
    data = orjson.loads(b'{"a":1}')
    assert Event(b"", data=data).data is data


def test_a_target_is_named_by_provider_and_model() -> None:
    assert str(Target("openai", "gpt-4o")) == "openai/gpt-4o"
