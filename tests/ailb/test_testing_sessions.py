from dataclasses import replace

import pytest

from ailb.errors import Unavailable
from ailb.sessions import Begun, Limits, Near, Past, Session, Turn
from ailb.testing_sessions import START, MemorySessions

ANN = Session("ann", "s")
LIMITS = Limits(1.0, 2, 1000, 10)


async def said(sessions: MemorySessions, text: str) -> Turn:
    begun = await sessions.begin(ANN, LIMITS)
    turn = Turn(begun.number, begun.at, [{"role": "user", "content": text}], 10)
    assert await sessions.remember(ANN, turn, LIMITS)
    return turn


async def test_it_remembers_and_recalls() -> None:
    sessions = MemorySessions()
    assert (Past(), Begun(1, START + 1)) == (await sessions.past(ANN, 10), await sessions.begin(ANN, LIMITS))
    await sessions.abandon(ANN, Begun(2, START))
    fox, dog = await said(sessions, "a Fox"), await said(sessions, "a dog")
    assert not await sessions.remember(ANN, replace(dog, cut=True), LIMITS)
    assert ([dog], [fox, dog]) == ((await sessions.past(ANN, 19)).turns, (await sessions.past(ANN, 20)).turns)
    assert ([fox], []) == (await sessions.recall(ANN, "the fox", 9, 9), await sessions.recall(ANN, "the fox", 2, 9))
    assert [dog] == await sessions.between(ANN, 2, 9, 9)
    bird = await said(sessions, "a bird")
    assert [dog, bird] == sessions.turns[ANN]
    await sessions.summarize(ANN, "animals", dog)
    await sessions.embed(ANN, 3, Near("e", [1.0]))
    past = await sessions.past(ANN, 1)
    assert ("animals", 3, {(ANN, 3): Near("e", [1.0])}) == (past.summary, past.summarized, sessions.vectors)
    assert (0, 1) == (await sessions.prune(1), sessions.pruned)


async def test_it_can_be_down() -> None:
    sessions = MemorySessions()
    sessions.down = True
    with pytest.raises(Unavailable):
        sessions.begin(ANN, LIMITS)
    with pytest.raises(Unavailable):
        await sessions.past(ANN, 1)
