import asyncio

import pytest

from ailb.turns import TURN, in_turns
from tests.ailb.driving import driven


async def through(number: int) -> list[int]:
    return [item async for item in in_turns(range(number))]


@pytest.mark.parametrize(("number", "expected"), [(0, 0), (1, 0), (TURN - 1, 0), (TURN, 1), (TURN + 1, 1), (10 * TURN, 10)])
def test_others_have_their_turn_after_each_few(number: int, expected: int) -> None:
    assert (list(range(number)), expected) == driven(through(number))


async def test_what_runs_beside_it_goes_on() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(tick())
    await through(100 * TURN)
    beside.cancel()
    assert ticks >= 100
