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
    await asyncio.wait_for(Draining(Reply(events(*steps)), drain, seen.extend).run(), SOON)
    return len(seen)


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
    started = asyncio.Event()

    def see(batch: list[Event]) -> None:
        seen.extend(batch)
        started.set()

    draining = Draining(Reply(events(said("a"), asyncio.Event())), ENDLESS, see)
    if early:
        draining.stop()
    task = asyncio.ensure_future(draining.run())
    if not early:
        await asyncio.wait_for(started.wait(), SOON)
        draining.stop()
    await asyncio.wait_for(task, SOON)
    draining.stop()
    assert len(seen) == (0 if early else 1)
