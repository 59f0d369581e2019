import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ailb.errors import UpstreamSilent
from middleware.routing_hedge import first_of

NEVER = 60.0


class Answer:
    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Runner:
    """Answers, or fails, when it is let go."""

    def __init__(self, name: str, failure: Exception | None = None, *, at_once: bool = False) -> None:
        self.answer = Answer(name)
        self.failure = failure
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.cancelled = False
        if at_once:
            self.go.set()

    async def run(self) -> Answer:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.failure is not None:
            raise self.failure
        return self.answer


def second(runner: Runner) -> Coroutine[Any, Any, Answer] | None:
    return runner.run()


async def test_who_answers_in_time_is_not_hedged() -> None:
    first, other = Runner("a", at_once=True), Runner("b")
    assert first.answer is await first_of(first.run(), NEVER, lambda: second(other))
    assert not other.begun.is_set()


async def test_the_second_one_wins_and_the_first_is_cancelled() -> None:
    first, other = Runner("a"), Runner("b", at_once=True)
    assert other.answer is await first_of(first.run(), 0.0, lambda: second(other))
    assert first.cancelled


async def test_the_first_one_may_win_after_all() -> None:
    first, other = Runner("a"), Runner("b")
    race = asyncio.create_task(first_of(first.run(), 0.0, lambda: second(other)))
    await other.begun.wait()
    first.go.set()
    assert first.answer is await race
    assert other.cancelled


async def test_of_two_that_answer_together_one_is_closed() -> None:
    first, other = Runner("a"), Runner("b")
    race = asyncio.create_task(first_of(first.run(), 0.0, lambda: second(other)))
    await other.begun.wait()
    first.go.set()
    other.go.set()
    won = await race
    assert {won.name: False, ({"a", "b"} - {won.name}).pop(): True} == {a.name: a.closed for a in (first.answer, other.answer)}


async def test_when_one_fails_the_other_is_waited_for() -> None:
    first, other = Runner("a"), Runner("b", UpstreamSilent("b"), at_once=True)
    race = asyncio.create_task(first_of(first.run(), 0.0, lambda: second(other)))
    await other.begun.wait()
    first.go.set()
    assert first.answer is await race


async def test_when_both_fail_the_later_failure_is_told() -> None:
    first, other = Runner("a", UpstreamSilent("a")), Runner("b", UpstreamSilent("b"))
    race = asyncio.create_task(first_of(first.run(), 0.0, lambda: second(other)))
    await other.begun.wait()
    first.go.set()
    for _ in range(5):  # until the race has heard of it
        await asyncio.sleep(0)
    other.go.set()
    with pytest.raises(UpstreamSilent, match="b"):
        await race


async def test_a_failure_before_the_second_is_asked_is_told_at_once() -> None:
    first, other = Runner("a", UpstreamSilent("a"), at_once=True), Runner("b")
    with pytest.raises(UpstreamSilent, match="a"):
        await first_of(first.run(), NEVER, lambda: second(other))
    assert not other.begun.is_set()


async def test_there_may_be_nobody_else() -> None:
    first = Runner("a")
    race = asyncio.create_task(first_of(first.run(), 0.0, lambda: None))
    await first.begun.wait()
    first.go.set()
    assert first.answer is await race


async def test_who_cancels_the_race_cancels_both() -> None:
    first, other = Runner("a"), Runner("b")
    race = asyncio.create_task(first_of(first.run(), 0.0, lambda: second(other)))
    await other.begun.wait()
    race.cancel()
    with pytest.raises(asyncio.CancelledError):
        await race
    assert first.cancelled
    assert other.cancelled
