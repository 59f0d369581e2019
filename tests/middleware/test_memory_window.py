from itertools import groupby, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.prompt import Prompt
from ailb.sessions import Turn
from middleware.memory_said import said, unsent
from middleware.memory_window import LEAST, STEP, UNANSWERED, fitting, messages_of
from tests.middleware.talks import Message, assistant, requests, tool, turns, user

ONE = Turn(1, 1.0, [user("a"), assistant("b")], 10)
CALLS = Turn(2, 2.0, [user("look"), {**assistant(None, "c"), "reasoning_content": "hm"}], 10)
RESULT = Turn(3, 3.0, [tool("c"), {**assistant("found"), "reasoning_content": "ah"}], 10)


@pytest.mark.parametrize(("tokens", "numbers"), [(9, []), (10, []), (19, []), (20, [2, 3]), (29, [2, 3]), (30, [1, 2, 3]), (99, [1, 2, 3])])
def test_calls_and_results_go_together(tokens: int, numbers: list[int]) -> None:
    assert numbers == [turn.number for turn in fitting([ONE, CALLS, RESULT], tokens)]


def test_the_first_turn_stays_the_same_for_some_requests() -> None:
    """A provider keeps what a prompt begins with: here, in three of four requests, all turns of the request before."""
    said = [Turn(number, float(number), [user(f"{number}"), assistant("ok")], 10) for number in range(1, 101)]
    firsts = [fitting(said[:number], 200)[0].number for number in range(1, 101)]
    assert ([1] * 20, 1) == (firsts[:20], len({first % STEP for first in firsts}))
    assert 20 == sum(one != other for one, other in pairwise(firsts))
    assert all(number - first + 1 in range(17, 21) for number, first in enumerate(firsts[20:], 21))
    assert [94, 95, 96, 97, 98, 99, 100] == [turn.number for turn in fitting(said, 70)]


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
def test_a_call_that_nobody_answers_is_left_out_but_not_its_turn(following: list[Message]) -> None:
    assert [user("look"), assistant(UNANSWERED)] == messages_of([CALLS], following)
    again = Turn(3, 3.0, [tool("c"), assistant(None, "d")], 10)
    assert [*CALLS.messages[:1], assistant(None, "c"), tool("c"), assistant(UNANSWERED)] == messages_of([CALLS, again], following)
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


def alternate(messages: list[Message]) -> bool:
    """What the chat templates of Mistral's models demand: without rounds of tools, the user and the assistant speak in turn, and it
    is the assistant who speaks after a tool. Source: `chat_template` in https://huggingface.co/mistralai/Mistral-7B-Instruct-v0.3
    """
    spoken = [message["role"] for message in messages if message["role"] in ("user", "assistant") and not message.get("tool_calls")]
    after_tools = {then["role"] for one, then in pairwise(messages) if one["role"] == "tool"}
    return "user" not in after_tools and all(one != other for one, other in pairwise(spoken))


def text_of(message: Message) -> str:
    """Its content with the names of what it calls, or answers."""
    calls = [call["id"] for call in message.get("tool_calls") or ()]
    return f"{message['content'] or ''}|{calls}|{message.get('tool_call_id')}"


@given(st.data(), st.integers(0, 3000), st.booleans())
def test_what_is_put_in_keeps_to_its_room_and_breaks_nothing(data: st.DataObject, tokens: int, told: bool) -> None:
    past = data.draw(turns())
    sent = data.draw(requests(past))
    now = said(sent)
    chosen = fitting(unsent(past, now), tokens)
    ahead = messages_of(chosen, now.messages)
    assert sum(turn.tokens for turn in chosen) <= tokens
    prompt = Prompt({"model": "m", "messages": list(sent)}, {})
    asked = prompt.question
    prompt.inject(ahead)
    if told:
        prompt.tell("block")
    made: list[Any] = prompt.body["messages"]
    rest = iter(made)
    assert all(any(text_of(found).endswith(text_of(message)) for found in rest) for message in sent)  # all there, in their order
    own = [message for message in sent if message["role"] != "system"]
    put = [message for message in made if message["role"] != "system"]
    assert not are_sound(own) or are_sound(put)
    assert not ahead or are_sound(ahead) or now.messages[0]["role"] == "tool"
    assert not (are_sound(own) and alternate(own)) or alternate(put)
    assert made[: len(sent) - len(own)] == sent[: len(sent) - len(own)]
    blocks = [message for message in made if "block" in (message["content"] or "")]
    assert ["user"] * told == [message["role"] for message in blocks]
    assert not asked or asked == prompt.question
    assert not any("block" in question for question in prompt.questions())
    assert not any("block" in (message["content"] or "") for message in said(prompt.bare().body["messages"]).messages)
