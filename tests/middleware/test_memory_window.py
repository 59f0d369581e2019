from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.prompt import Prompt
from ailb.sessions import Turn
from middleware.memory_said import said, unsent
from middleware.memory_window import LEAST, fitting, messages_of
from tests.middleware.talks import Message, assistant, requests, tool, turns, user

ONE = Turn(1, 1.0, [user("a"), assistant("b")], 10)
CALLS = Turn(2, 2.0, [user("look"), {**assistant(None, "c"), "reasoning_content": "hm"}], 10)
RESULT = Turn(3, 3.0, [tool("c"), {**assistant("found"), "reasoning_content": "ah"}], 10)


@pytest.mark.parametrize(("tokens", "numbers"), [(9, []), (10, []), (19, []), (20, [2, 3]), (29, [2, 3]), (30, [1, 2, 3]), (99, [1, 2, 3])])
def test_calls_and_results_go_together(tokens: int, numbers: list[int]) -> None:
    assert numbers == [turn.number for turn in fitting([ONE, CALLS, RESULT], tokens)]


def test_a_result_whose_call_is_gone_is_gone_too() -> None:
    assert [] == fitting([RESULT], 99)


def test_of_a_last_turn_that_is_too_long_there_are_both_ends() -> None:
    long = Turn(4, 4.0, [user("Why?"), assistant("Because " + "x" * 4000 + " so.")], 1000)
    (made,) = fitting([ONE, long], 500)
    question, answer = (message["content"] for message in made.messages)
    assert ("Why?", True, True, 500) == (question, answer.startswith("Because"), answer.endswith("so."), made.tokens)
    assert len(answer) < 2000
    assert [] == fitting([ONE, long], LEAST - 1)


def test_reasoning_is_only_there_while_its_tools_are_at_work() -> None:
    open = messages_of([ONE, CALLS], [tool("c")])
    assert ("hm", [*ONE.messages, *CALLS.messages]) == (open[-1]["reasoning_content"], open)
    over = messages_of([ONE, CALLS, RESULT], [user("thanks")])
    assert [False] * 6 == ["reasoning_content" in message for message in over]
    assert ["a", "b", "look", None, "done", "found"] == [message["content"] for message in over]


@pytest.mark.parametrize("following", [[], [user("never mind")], [tool("other")]])
def test_a_call_that_nobody_answers_is_left_out(following: list[Message]) -> None:
    assert [user("look")] == messages_of([CALLS], following)
    spoken = Turn(2, 2.0, [user("look"), assistant("I will", "c")], 10)
    assert [user("look"), assistant("I will")] == messages_of([spoken], following)


def test_ollamas_calls_have_numbers_of_their_own() -> None:
    numbered = Turn(2, 2.0, [user("look"), assistant(None, "call_3")], 10)
    assert numbered.messages == messages_of([numbered], [tool("call_0")])


def are_sound(messages: list[Message]) -> bool:
    """Whether each call has its result right behind it, and each result its call."""
    for at, message in enumerate(messages):
        ids = [call["id"] for call in message.get("tool_calls") or ()]
        if ids != [found.get("tool_call_id") for found in messages[at + 1 : at + 1 + len(ids)]]:
            return False
    runs = [list(run) for is_tool, run in groupby(messages, lambda message: message["role"] == "tool") if is_tool]
    return sum(map(len, runs)) == sum(len(message.get("tool_calls") or ()) for message in messages)


@given(st.data(), st.integers(0, 3000))
def test_what_is_put_in_keeps_to_its_room_and_breaks_nothing(data: st.DataObject, tokens: int) -> None:
    past = data.draw(turns())
    sent = data.draw(requests(past))
    now = said(sent)
    chosen = fitting(unsent(past, now), tokens)
    ahead = messages_of(chosen, now.messages)
    assert sum(turn.tokens for turn in chosen) <= tokens
    prompt = Prompt({"model": "m", "messages": list(sent)}, {})
    prompt.inject(ahead)
    made: list[Any] = prompt.body["messages"]
    rest = iter(made)
    assert all(any(message is found for found in rest) for message in sent)  # the client's own: all there, in their order
    assert len(made) == len(sent) + len(ahead)
    own_are_sound = are_sound([message for message in sent if message["role"] != "system"])
    assert not own_are_sound or are_sound([message for message in made if message["role"] != "system"])
    assert not ahead or are_sound(ahead) or now.messages[0]["role"] == "tool"
