import asyncio
from collections.abc import AsyncIterator

import pytest

from ailb.dialect import Event
from ailb.drain import Draining
from ailb.errors import UpstreamBroken
from ailb.exchange import Drain, Reply
from tests.ailb.serving import SOON, said

ENDLESS = Drain(seconds=SOON * 10, bytes=1 << 30)


async def events(*steps: Event | Exception | asyncio.Event) -> AsyncIterator[list[Event]]:
    for step in steps:
        if isinstance(step, Exception):
            raise step
        if isinstance(step, asyncio.Event):
            await step.wait()
        else:
            yield [step]


async def drained(drain: Drain, *steps: Event | Exception | asyncio.Event) -> int:
    """How many events were seen."""
    seen: list[Event] = []
    await asyncio.wait_for(Draining(drain, never).read(Reply(events(*steps)), seen.extend), SOON)
    return len(seen)


def never() -> None:
    raise AssertionError("it was read, so there was nobody to be told")


async def test_all_that_comes_is_seen() -> None:
    assert await drained(ENDLESS, said("a"), said("b")) == 2


async def test_a_stream_that_breaks_is_over() -> None:
    assert await drained(ENDLESS, said("a"), UpstreamBroken("cut"), said("b")) == 1


async def test_a_silent_stream_is_left_in_time() -> None:
    assert await drained(Drain(seconds=0.02, bytes=1 << 30), said("a"), asyncio.Event()) == 1


async def test_a_long_stream_is_left_after_so_many_bytes() -> None:
    one = said("a")
    assert await drained(Drain(seconds=SOON, bytes=2 * len(one.raw)), *[one] * 10) == 3


@pytest.mark.parametrize("early", [True, False])
async def test_it_can_be_stopped(early: bool) -> None:
    seen: list[Event] = []
    given_up: list[int] = []
    started = asyncio.Event()

    def see(batch: list[Event]) -> None:
        seen.extend(batch)
        started.set()

    draining = Draining(ENDLESS, lambda: given_up.append(1))
    if early:
        draining.stop()
    task = asyncio.ensure_future(draining.read(Reply(events(said("a"), asyncio.Event())), see))
    if not early:
        await asyncio.wait_for(started.wait(), SOON)
        draining.stop()
    await asyncio.wait_for(task, SOON)
    draining.stop()
    assert (len(seen), given_up) == ((0, [1]) if early else (1, []))


async def awaited(drain: Drain, *sizes: int) -> list[int]:
    """How often whoever waits was told to give up."""
    told: list[int] = []
    draining = Draining(drain, lambda: told.append(1))
    for size in sizes:
        draining.took(size)
    await asyncio.sleep(0.03)
    draining.stop()
    return told


async def test_whoever_waits_is_told_once_when_it_is_enough() -> None:
    assert [1] == await awaited(Drain(0.01, 100), 50)
    assert [1] == await awaited(Drain(0.01, 100), 101, 101)
    assert [1] == await awaited(ENDLESS, 50)


async def test_nobody_is_told_when_it_is_over() -> None:
    told: list[int] = []
    draining = Draining(Drain(0.01, 100), lambda: told.append(1))
    draining.close()
    draining.took(101)
    await asyncio.sleep(0.03)
    assert told == []
