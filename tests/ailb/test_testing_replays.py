import asyncio

import pytest

from ailb.errors import Conflict, Unavailable
from ailb.replays import Claim, Stored
from ailb.testing_replays import MemoryReplays

CLAIM = Claim("ann", "a", b"1")


async def test_a_claim_is_done_once_and_then_told() -> None:
    replays = MemoryReplays()
    begun = [await replays.begin(CLAIM, 60) for _ in range(2)]
    await replays.finish(CLAIM, b"Hi")
    assert [None, Stored(done=False), Stored(True, b"Hi")] == [*begun, await replays.begin(CLAIM, 60)]


async def test_what_was_forgotten_may_be_done_again() -> None:
    replays = MemoryReplays()
    await replays.begin(CLAIM, 60)
    await replays.forget(CLAIM)
    assert await replays.begin(CLAIM, 60) is None


async def test_a_name_stands_for_one_request() -> None:
    replays = MemoryReplays()
    await replays.begin(CLAIM, 60)
    with pytest.raises(Conflict):
        await replays.begin(Claim("ann", "a", b"2"), 60)
    assert await replays.begin(Claim("ben", "a", b"2"), 60) is None


async def test_waiting_ends_with_the_claim_or_with_the_time() -> None:
    replays = MemoryReplays()
    await replays.begin(CLAIM, 60)
    await replays.wait(CLAIM, 0.01)
    waiting = asyncio.create_task(replays.wait(CLAIM, 60))
    while not replays.waiting:
        await asyncio.sleep(0)
    await replays.finish(CLAIM, None)
    await waiting
    assert 0 == replays.waiting


async def test_it_can_be_down() -> None:
    replays = MemoryReplays()
    replays.down = True
    with pytest.raises(Unavailable):
        await replays.begin(CLAIM, 60)
