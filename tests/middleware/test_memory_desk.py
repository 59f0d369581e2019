import asyncio

import pytest

from ailb.errors import Unavailable
from ailb.sessions import Session
from middleware.memory_desk import MOST, Desk

ANN, BOB = Session("ann", "s"), Session("bob", "s")


async def test_work_of_a_session_is_done_in_its_order_and_waited_for() -> None:
    desk, done, free = Desk(), list[int](), asyncio.Event()

    async def work(number: int, *, waits: bool = False) -> None:
        if waits:
            await free.wait()
        done.append(number)

    desk.write(ANN, lambda: work(1, waits=True))
    desk.write(ANN, lambda: work(2))
    desk.write(BOB, lambda: work(3))
    await desk.written(BOB)
    assert [3] == done
    free.set()
    await desk.written(ANN)
    assert [3, 1, 2] == done
    await desk.written(ANN)


@pytest.mark.parametrize("problem", [Unavailable("the store is down"), ValueError("a bug")])
async def test_what_goes_wrong_is_nobody_elses_trouble(problem: Exception) -> None:
    desk, done = Desk(), list[int]()

    async def fails() -> None:
        raise problem

    async def works() -> None:
        done.append(1)

    desk.write(ANN, fails)
    desk.write(ANN, works)
    await desk.close()
    assert [1] == done


async def test_it_ends_with_what_is_to_be_done() -> None:
    desk, done = Desk(), list[int]()

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(1)

    for _ in range(3):
        desk.start(work)
    await desk.close()
    assert [1, 1, 1] == done
    await desk.close()


async def test_there_is_never_too_much_of_it() -> None:
    desk, free = Desk(), asyncio.Event()

    async def work() -> None:
        await free.wait()

    started = [desk.start(work) for _ in range(MOST + 1)]
    assert [None] == [task for task in started if task is None]
    desk.write(ANN, work)
    await desk.written(ANN)
    free.set()
    await desk.close()
