from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.sessions import Turn
from middleware.memory_messages import same
from middleware.memory_said import new, said, unknown, unsent
from tests.middleware.talks import Message, assistant, requests, tool, turns, user

ALICE = Turn(1, 1.0, [user("I am Alice"), assistant("Hello")], 10)
YES = Turn(2, 2.0, [user("yes"), assistant("Good")], 10)
CALLS = Turn(3, 3.0, [user("Look it up"), assistant(None, "c")], 10)
PAST = [ALICE, YES]


def texts(messages: Any) -> list[Any]:
    return [message["content"] for message in messages]


@pytest.mark.parametrize(
    ("sent", "past", "remembered", "ahead"),
    [
        ([user("Who am I?")], PAST, ["Who am I?"], PAST),
        ([user("yes")], PAST, ["yes"], PAST),
        ([user("a"), user("b")], [], ["a", "b"], []),
        ([*ALICE.messages, *YES.messages, user("Who?")], PAST, ["Who?"], []),
        ([*YES.messages, user("Who?")], PAST, ["Who?"], [ALICE]),
        ([user("I am Alice"), user("yes"), user("Who?")], PAST, ["Who?"], []),
        ([assistant("Good"), user("Who?")], PAST, ["Who?"], [ALICE, "yes"]),
        ([user("Example"), assistant("Sample"), user("Who?")], PAST, ["Who?"], PAST),
        ([*ALICE.messages, user("no")], PAST, ["no"], []),
        ([tool("c", "found")], [*PAST, CALLS], ["found"], [*PAST, CALLS]),
        ([CALLS.messages[1], tool("c", "found")], [*PAST, CALLS], ["found"], [*PAST, "Look it up"]),
        ([user("Who?"), assistant("You are")], PAST, ["Who?", "You are"], PAST),
        ([{"role": "system", "content": "be kind"}, user("Who?")], PAST, ["Who?"], PAST),
        ([assistant("only")], PAST, ["only"], PAST),
    ],
)
def test_what_is_new_and_what_was_before(sent: list[Message], past: list[Turn], remembered: list[str], ahead: list[Any]) -> None:
    now = said(sent)
    assert remembered == texts(new(now, past))
    expected = [texts(turn.messages) if isinstance(turn, Turn) else [turn] for turn in ahead]
    assert expected == [texts(turn.messages) for turn in unsent(past, now)]


def test_who_asks_once_more_is_not_told_the_answer_of_before() -> None:
    assert [] == unknown([ALICE, YES], said([*ALICE.messages, user("yes")]))
    assert [YES] == unknown([YES], said([user("yes")]))
    assert [YES] == unknown([ALICE, YES], said([*ALICE.messages, user("Who?")]))


@given(st.data())
def test_nothing_that_the_client_sent_is_there_more_often_than_it_was_said(data: st.DataObject) -> None:
    past = data.draw(turns())
    now = said(data.draw(requests(past)))
    ahead = Counter(same(message) for turn in unsent(past, now) for message in turn.messages)
    stored = Counter(same(message) for turn in past for message in turn.messages)
    sent = Counter(map(same, now.history)) & stored
    assert all(ahead[digest] + sent[digest] <= stored[digest] for digest in stored)


@given(st.data())
def test_who_sends_all_of_it_is_told_nothing_and_only_what_is_new_is_remembered(data: st.DataObject) -> None:
    past = data.draw(turns())
    now = said([*(message for turn in past for message in turn.messages), user("really new")])
    assert ([], ["really new"]) == (unsent(past, now), texts(new(now, past)))


@given(st.data())
def test_a_new_message_is_always_remembered(data: st.DataObject) -> None:
    past = data.draw(turns())
    sent = data.draw(requests(past))
    assert new(said(sent), past)[-1]["content"] == sent[-1]["content"]
