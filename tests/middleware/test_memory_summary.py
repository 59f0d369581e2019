import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ailb.aside import Aside
from ailb.errors import Unavailable
from ailb.exchange import Caller, Exchange, Reply
from ailb.sessions import Past, Session, Turn
from ailb.stack import Next
from ailb.testing import answers, refuses
from ailb.testing_sessions import MemorySessions
from middleware.memory_summary import EVERY, MOST, Summaries
from tests.middleware.talks import assistant, user

ANN, CALLER = Session("ann", "s"), Caller("ann")
TURNS = [Turn(number, float(number), [user(f"word{number}"), assistant("ok")], 10) for number in range(1, 31)]


def summaries(innermost: Next, *, tokens: int = 50) -> tuple[Summaries, MemorySessions, list[Exchange]]:
    """And those who were asked."""
    asked: list[Exchange] = []

    async def listening(exchange: Exchange) -> Reply:
        asked.append(exchange)
        return await innermost(exchange)

    sessions = MemorySessions()
    sessions.turns[ANN] = TURNS
    return Summaries(sessions, Aside(listening), "small", tokens), sessions, asked


def past(first: int, summarized: int = 0, summary: str = "") -> Past:
    return Past(TURNS[first - 1 :], summary, summarized)


@pytest.mark.parametrize(
    ("told", "due"), [(Past(), False), (past(EVERY), False), (past(EVERY + 1), True), (past(EVERY + 1, 1, "x"), False)]
)
def test_it_is_due_when_enough_turns_are_in_neither(told: Past, due: bool) -> None:
    assert due is summaries(answers("x"))[0].is_due(told)


async def test_the_turns_since_the_last_one_are_summed_up_with_it() -> None:
    made, sessions, asked = summaries(answers("They ", "met."))
    sessions.summaries[ANN] = ("It began.", 5)
    await made.make(ANN, past(20, 5, "It began."), CALLER, "req_1-summary")
    assert {ANN: ("They met.", 19)} == sessions.summaries
    (exchange,) = asked
    body: dict[str, Any] = exchange.prompt.body
    told = body["messages"][1]["content"]
    assert ("small", 50, "req_1-summary", "ann") == (body["model"], body["max_tokens"], exchange.id, exchange.caller.user)
    assert ["system", "user"] == [message["role"] for message in body["messages"]]
    assert [True, False, True, True, False] == [text in told for text in ("It began.", "word5\n", "word6\n", "word19\n", "word20\n")]


@pytest.mark.parametrize("innermost", [refuses(Unavailable("gone")), answers(""), answers("  ")])
async def test_without_an_answer_the_summary_stays(innermost: Next) -> None:
    made, sessions, _ = summaries(innermost)
    sessions.summaries[ANN] = ("It began.", 5)
    await made.make(ANN, past(20, 5, "It began."), CALLER, "id")
    assert {ANN: ("It began.", 5)} == sessions.summaries


async def test_a_summary_is_never_long() -> None:
    made, sessions, _ = summaries(answers("x" * 1000))
    await made.make(ANN, past(20), CALLER, "id")
    assert ("x" * 200, 19) == sessions.summaries[ANN]


async def test_what_was_summed_up_meanwhile_is_not_paid_for_twice() -> None:
    made, sessions, asked = summaries(answers("They met."))
    await made.make(ANN, past(20), CALLER, "a")
    await made.make(ANN, past(20), CALLER, "b")
    assert (["a"], 19) == ([exchange.id for exchange in asked], sessions.summaries[ANN][1])


async def test_no_model_is_given_more_than_it_can_read() -> None:
    made, sessions, asked = summaries(answers("They met."))
    sessions.turns[ANN] = [Turn(number, 1.0, [user(f"word{number} " + "x" * 5000), assistant("ok")], 10) for number in range(1, 31)]
    await made.make(ANN, past(20), CALLER, "id")
    _, upto = sessions.summaries[ANN]
    told = asked[0].prompt.body["messages"][1]["content"]
    assert (True, True, False) == (5 < upto < 15, f"word{upto} " in told, f"word{upto + 1} " in told)
    assert len(told) < MOST + 1000


async def test_one_at_a_time() -> None:
    free = asyncio.Event()

    async def slow(exchange: Exchange) -> Reply:
        await free.wait()
        return await answers("They met.")(exchange)

    made, sessions, asked = summaries(slow)
    first = asyncio.create_task(made.make(ANN, past(20), CALLER, "a"))
    await asyncio.sleep(0)
    await made.make(ANN, past(20), CALLER, "b")
    free.set()
    await first
    assert (["a"], 19) == ([exchange.id for exchange in asked], sessions.summaries[ANN][1])
    await made.make(ANN, replace(past(30), summarized=19), CALLER, "c")
    assert (2, 29) == (len(asked), sessions.summaries[ANN][1])
