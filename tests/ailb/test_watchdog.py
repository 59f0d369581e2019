import asyncio

import pytest

from ailb.watchdog import Watchdog

LONG = 3600.0


async def expired(watchdog_waits: bool) -> list[str]:
    """What a watchdog of one hundredth of a second did by the time that a later timer went off."""
    told: list[str] = []
    over = asyncio.Event()
    watchdog = Watchdog(0.01, lambda: told.append("expired"))
    if watchdog_waits:
        watchdog.waiting()
    asyncio.get_running_loop().call_later(0.05, over.set)
    await asyncio.wait_for(over.wait(), 10)
    watchdog.stop()
    return told


async def test_a_wait_that_is_too_long_is_told_once() -> None:
    assert ["expired"] == await expired(watchdog_waits=True)


async def test_while_nothing_is_waited_for_nothing_expires() -> None:
    assert [] == await expired(watchdog_waits=False)


async def test_a_wait_that_ended_does_not_count() -> None:
    over = asyncio.Event()
    watchdog = Watchdog(0.02, over.set)
    watchdog.waiting()
    watchdog.done()
    await asyncio.sleep(0)
    assert not over.is_set()
    watchdog.waiting()
    await asyncio.wait_for(over.wait(), 10)
    watchdog.stop()


async def test_the_clock_starts_with_the_wait_and_not_with_the_watchdog() -> None:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    watchdog = Watchdog(0.03, over.set)
    turn = asyncio.Event()
    loop.call_later(0.02, turn.set)
    await turn.wait()
    began = loop.time()
    watchdog.waiting()
    await asyncio.wait_for(over.wait(), 10)
    assert loop.time() - began >= 0.028


@pytest.mark.parametrize("waits", [True, False])
async def test_everything_together_can_take_too_long(waits: bool) -> None:
    over = asyncio.Event()
    watchdog = Watchdog(LONG, over.set, 0.01)
    if waits:
        watchdog.waiting()
    await asyncio.wait_for(over.wait(), 10)
    assert watchdog.late


async def test_a_wait_that_is_too_long_is_not_late() -> None:
    over = asyncio.Event()
    watchdog = Watchdog(0.01, over.set, LONG)
    watchdog.waiting()
    await asyncio.wait_for(over.wait(), 10)
    assert not watchdog.late


async def test_a_stopped_watchdog_is_silent_and_can_be_stopped_again() -> None:
    told: list[str] = []
    watchdog = Watchdog(0.0, lambda: told.append("expired"))
    watchdog.waiting()
    watchdog.stop()
    watchdog.stop()
    turn = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, turn.set)
    await turn.wait()
    assert told == []


async def test_a_wait_costs_no_timer() -> None:
    loop = asyncio.get_running_loop()
    watchdog = Watchdog(LONG, lambda: None)
    scheduled = len(loop._scheduled)  # type: ignore[attr-defined]
    for _ in range(100):
        watchdog.waiting()
        watchdog.done()
    assert scheduled == len(loop._scheduled)  # type: ignore[attr-defined]
    watchdog.stop()
