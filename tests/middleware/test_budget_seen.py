from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Event
from ailb.usage import Usage
from middleware.budget_seen import Seen, said
from providers.anthropic_native import MessagesEvent
from providers.ollama_native import OllamaEvent
from tests.middleware.paying import chunks, whole


def delta(**delta: Any) -> Event:
    return Event.chunk({"choices": [{"index": 0, "delta": delta}]})


CALL = {"function": {"name": "f", "arguments": '{"a":'}}


@pytest.mark.parametrize(
    ("event", "texts"),
    [
        (delta(content="Hi"), "Hi"),
        (delta(content=None, reasoning_content="hm"), "hm"),
        (delta(reasoning="hm"), "hm"),
        (delta(refusal="no"), "no"),
        (delta(tool_calls=[CALL, {"function": {"arguments": "1}"}}]), 'f{"a":1}'),
        (delta(tool_calls=[None, 5, {"function": None}]), ""),
        (delta(function_call={"name": "f", "arguments": "{}"}), "f{}"),
        (Event.chunk({"choices": [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}]}), "ab"),
        (Event.chunk({"choices": [{"index": 0, "delta": None}]}), ""),
        (Event.chunk({"choices": None}), ""),
        (Event.whole({"choices": [None, 5, {"message": "x"}, {"message": {"content": ["x"]}}]}), ""),
        (whole("Hi")[0], "Hi"),
        (MessagesEvent.chunk({"type": "content_block_delta", "delta": {"text": "Hi"}}), "Hi"),
        (MessagesEvent.chunk({"delta": {"thinking": "hm"}}), "hm"),
        (MessagesEvent.chunk({"delta": {"partial_json": '{"a"'}}), '{"a"'),
        (
            MessagesEvent.whole({"content": [{"type": "text", "text": "Hi"}, {"type": "tool_use", "name": "f", "input": {"a": 1}}]}),
            'Hif{"a":1}',
        ),
        (OllamaEvent.chunk({"message": {"content": "Hi", "thinking": "hm"}}), "Hihm"),
        (OllamaEvent.chunk({"message": {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}}), 'f{"a":1}'),
    ],
)
def test_what_an_event_says(event: Event, texts: str) -> None:
    assert texts == "".join(said(event))


def taken(*events: Event) -> Seen:
    seen = Seen()
    for event in events:
        seen.take(event)
    return seen


@pytest.mark.parametrize(
    ("usage", "exact"),
    [(Usage(5, 7), True), (None, False), (Usage(), False), (Usage(5, 0), False), (Usage(0, 7), False)],
)
def test_a_usage_is_believed_if_it_can_be_true(usage: Usage | None, exact: bool) -> None:
    assert (usage if exact else None) == taken(*chunks("Hi", usage=usage)).exact


def test_nothing_said_may_have_taken_nothing() -> None:
    assert Usage() == taken(*chunks(usage=Usage())).exact


def test_what_comes_after_the_usage_is_not_in_it() -> None:
    seen = taken(*chunks("Hi", usage=Usage(5, 1)), *chunks(" there", usage=None))
    assert (None, " there", "Hi there", Usage(5, 1)) == (seen.exact, seen.untold, seen.text, seen.usage)


def test_each_usage_counts_for_what_was_said_until_then() -> None:
    seen = taken(*chunks("a", usage=Usage(5, 1)), *chunks("b", usage=Usage(5, 2)))
    assert (Usage(5, 2), "", "ab") == (seen.exact, seen.untold, seen.text)
    assert (Usage(5, 2), "", "ab") == (seen.exact, seen.untold, seen.text)
    seen.take(delta(content="c"))
    assert (None, "c", "abc") == (seen.exact, seen.untold, seen.text)


@given(st.lists(st.tuples(st.text(max_size=2), st.sampled_from([None, Usage(5, 1), Usage(5, 0), Usage(0, 1)])), max_size=6))
def test_asking_on_the_way_changes_nothing(said: list[tuple[str, Usage | None]]) -> None:
    asked, left = Seen(), Seen()
    for text, usage in said:
        event = Event.chunk({"choices": [{"index": 0, "delta": {"content": text}}]}, usage)
        asked.take(event)
        left.take(event)
        exact = asked.exact
        assert asked.text.endswith(text)
        assert exact == asked.exact
    assert (asked.exact, asked.text, asked.untold) == (left.exact, left.text, left.untold)


@given(st.lists(st.text(), max_size=5))
def test_all_text_is_kept(texts: list[str]) -> None:
    seen = taken(*chunks(*texts, usage=None))
    assert ("".join(texts), len(texts) + 2) == (seen.text, seen.events)
