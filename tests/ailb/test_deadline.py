import asyncio
from collections.abc import Callable

import pytest

from ailb.deadline import ROUND_SECONDS, Deadline, Rounds


async def forever() -> None:
    await asyncio.Event().wait()


def cancellations() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


@pytest.mark.parametrize("rounds", [lambda: None, Rounds])
@pytest.mark.parametrize("seconds", [0.01, 3 * ROUND_SECONDS])
async def test_what_takes_too_long_is_a_timeout(seconds: float, rounds: Callable[[], Rounds | None]) -> None:
    with pytest.raises(TimeoutError), Deadline(seconds, rounds()):
        await forever()
    assert cancellations() == 0
    await asyncio.sleep(0)


async def test_what_ends_in_time_is_left_alone() -> None:
    with Deadline(0.01):
        await asyncio.sleep(0)
    turn = asyncio.Event()
    asyncio.get_running_loop().call_later(0.03, turn.set)
    await turn.wait()
    assert cancellations() == 0


async def test_an_error_inside_passes_through() -> None:
    with pytest.raises(LookupError), Deadline(10):
        raise LookupError


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_a_deadline_that_is_over_already_ends_the_first_wait(seconds: float) -> None:
    with pytest.raises(TimeoutError), Deadline(seconds):
        await forever()


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    entered = asyncio.Event()

    async def work() -> None:
        with Deadline(10):
            entered.set()
            await forever()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_comes_together_with_the_deadline_wins() -> None:
    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        with Deadline(0) as _:
            asyncio.get_running_loop().call_soon(task.cancel)
            asyncio.get_running_loop().call_soon(task.cancel)
            await forever()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())


async def test_the_inner_of_two_deadlines_may_pass_without_the_outer() -> None:
    with Deadline(10):
        with pytest.raises(TimeoutError), Deadline(0.01):
            await forever()
        await asyncio.sleep(0)
    assert cancellations() == 0


async def test_the_outer_of_two_deadlines_ends_both() -> None:
    with pytest.raises(TimeoutError), Deadline(0.01), Deadline(10):
        await forever()
    assert cancellations() == 0


class Waiting:
    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.times = 0

    def late(self) -> None:
        self.told.set()
        self.times += 1


async def test_what_is_there_for_long_is_told_once_and_what_is_over_is_not() -> None:
    rounds, brief, left, long, last = Rounds(), Waiting(), Waiting(), Waiting(), Waiting()
    for one in (brief, left, long):
        rounds.add(one)
    rounds.discard(brief)
    turn = asyncio.Event()
    asyncio.get_running_loop().call_later(1.5 * ROUND_SECONDS, turn.set)
    await turn.wait()
    rounds.discard(left)
    rounds.add(last)
    await long.told.wait()
    await last.told.wait()
    assert [0, 0, 1, 1] == [one.times for one in (brief, left, long, last)]


async def test_rounds_rest_where_nothing_is_under_way_and_begin_again() -> None:
    rounds, waiting = Rounds(), [Waiting(), Waiting()]
    for one in waiting:
        rounds.add(one)
        await one.told.wait()
    assert [1, 1] == [one.times for one in waiting]
