import asyncio

import pytest

from ailb.errors import Unavailable
from ailb.sessions import Session
from ailb.tally import Shared, Tally
from middleware.memory_desk import FEW, MOST, Desk

ANN, BOB = Session("ann", "s"), Session("bob", "s")


async def is_free(desk: Desk, session: Session) -> bool:
    """Whether who asks now needs not wait."""
    try:
        async with asyncio.timeout(0.02):
            await desk.written(session)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("seats", [(0, 0), (0, 1)], ids=["here", "in another worker"])
async def test_who_asks_next_waits_until_what_was_said_is_written_down(seats: tuple[int, int]) -> None:
    shared, free = Shared(2), asyncio.Event()
    tallies = [shared.tally(seat) for seat in sorted(set(seats))]
    ours, theirs = Desk(tallies[0]), Desk(tallies[-1])

    async def work() -> None:
        await free.wait()

    theirs.ending(ANN)
    theirs.ending(ANN)
    assert [False, True] == [await is_free(ours, session) for session in (ANN, BOB)]
    theirs.write(ANN, work)
    theirs.ended(ANN)
    assert [False, True] == [await is_free(ours, session) for session in (ANN, BOB)]
    free.set()
    await ours.written(ANN)
    await theirs.close()
    assert await is_free(ours, ANN)


async def test_a_worker_that_died_in_the_middle_of_it_is_not_waited_for_long() -> None:
    tally = Tally()
    Desk(tally).ending(ANN)
    assert not await is_free(Desk(tally), ANN)
    await Desk(tally).written(ANN)  # which comes to an end


@pytest.mark.parametrize("problem", [Unavailable("the store is down"), ValueError("a bug")])
async def test_what_goes_wrong_is_nobody_elses_trouble(problem: Exception) -> None:
    desk, done = Desk(Tally()), list[int]()

    async def fails() -> None:
        raise problem

    async def works() -> None:
        done.append(1)

    for work in (fails, works):
        desk.ending(ANN)
        desk.write(ANN, work)
    await desk.close()
    assert ([1], True) == (done, await is_free(desk, ANN))


async def test_it_ends_with_what_is_to_be_done_and_what_that_begins() -> None:
    desk, done = Desk(Tally()), list[int]()

    async def work(left: int) -> None:
        await asyncio.sleep(0)
        done.append(left)
        if left:
            desk.start(lambda: work(left - 1))

    desk.start(lambda: work(3))
    await desk.close()
    assert [3, 2, 1, 0] == done
    await desk.close()


async def test_there_is_never_too_much_of_it() -> None:
    desk, free = Desk(Tally()), asyncio.Event()

    async def work() -> None:
        await free.wait()

    started = [desk.start(work) for _ in range(MOST + 1)]
    assert 1 == started.count(None)
    desk.ending(ANN)
    desk.write(ANN, work)
    assert await is_free(desk, ANN)
    free.set()
    await desk.close()


async def test_spare_work_is_done_a_few_pieces_at_a_time_and_leaves_room_for_the_rest() -> None:
    desk, free, begun, done = Desk(Tally()), asyncio.Event(), list[int](), list[int]()

    async def work() -> None:
        begun.append(1)
        await free.wait()
        done.append(1)

    for _ in range(MOST):
        desk.spare(work)
    desk.write(ANN, work)
    for _ in range(20):  # rounds of the loop, in which all could begin
        await asyncio.sleep(0)
    assert (FEW + 1, 0) == (len(begun), len(done))
    free.set()
    await desk.close()
    assert MOST // 2 + 1 == len(done)
