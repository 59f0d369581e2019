"""Keys at hand: one question for many, few for a flood, nothing believed for long."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from ailb.errors import Unavailable
from ailb.keys import Key
from ailb.store import keys_cache
from ailb.store.keys_cache import BATCH, BELIEVED_SECONDS, RETRY_SECONDS, Cache, Known
from ailb.testing import StillClock

KEY = Key("key-1", "ann")


class Shelf:
    """What the cache asks, under the test's thumb."""

    def __init__(self) -> None:
        self.there: dict[bytes, Key] = {b"a": KEY}
        self.asked: list[list[bytes]] = []
        self.number = 0
        self.looks = 0
        self.down = False
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()

    async def load(self, digests: Sequence[bytes]) -> Mapping[bytes, Known]:
        if self.down:
            raise Unavailable("down")
        self.asked.append(list(digests))
        found = {digest: Known(self.there[digest], 0) for digest in digests if digest in self.there}
        self.entered.set()
        await self.open.wait()
        return found

    async def revision(self) -> int:
        self.looks += 1
        if self.down:
            raise Unavailable("down")
        return self.number


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def cache(shelf: Shelf, clock: StillClock) -> Cache:
    return Cache(shelf.load, shelf.revision, clock)


async def found(cache: Cache, digest: bytes = b"a") -> Key | None:
    known = await cache.find(digest)
    return known.key if known else None


async def test_five_hundred_at_once_are_one_question(cache: Cache, shelf: Shelf) -> None:
    assert [KEY] * 500 == await asyncio.gather(*(found(cache) for _ in range(500)))
    assert ([[b"a"]], 1) == (shelf.asked, shelf.looks)


async def test_what_is_known_and_what_is_known_not_to_be_is_not_asked_again(cache: Cache, shelf: Shelf) -> None:
    for _ in range(3):
        assert (KEY, None) == (await found(cache), await found(cache, b"b"))
    assert [[b"a"], [b"b"]] == shelf.asked


async def test_many_unknown_ones_are_asked_together_and_only_some_are_remembered(cache: Cache, shelf: Shelf) -> None:
    many = [str(n).encode() for n in range(keys_cache.MOST + BATCH)]
    assert {None} == set(await asyncio.gather(*(found(cache, one) for one in many)))
    assert len(many) // BATCH == len(shelf.asked)
    assert keys_cache.MOST == len(cache._unknown)
    assert {} == cache._waiting


async def test_known_ones_are_bounded_too_and_the_least_used_goes_first(cache: Cache, shelf: Shelf) -> None:
    shelf.there |= {str(n).encode(): KEY for n in range(keys_cache.MOST)}
    await found(cache, b"0")
    await found(cache)
    await found(cache, b"0")
    await asyncio.gather(*(found(cache, one) for one in shelf.there))
    assert (keys_cache.MOST, True, False) == (len(cache._known), b"0" in cache._known, b"a" in cache._known)


async def test_questions_keep_their_distance(cache: Cache, shelf: Shelf) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for n in range(6):
        await found(cache, str(n).encode())
    assert len(shelf.asked) == 6
    assert loop.time() - began >= 5 * keys_cache.BETWEEN_SECONDS * 0.9


async def test_too_many_waiting_are_turned_away(shelf: Shelf, cache: Cache) -> None:
    shelf.open.clear()
    many = [asyncio.ensure_future(found(cache, str(n).encode())) for n in range(keys_cache.MOST_WAITING + 1)]
    await shelf.entered.wait()
    with pytest.raises(Unavailable):
        await asyncio.gather(*(found(cache, f"x{n}".encode()) for n in range(BATCH + 1)))
    for one in many:
        one.cancel()
    await cache.close()


async def test_a_change_elsewhere_is_seen_at_the_next_look(cache: Cache, shelf: Shelf) -> None:
    assert await found(cache) == KEY
    del shelf.there[b"a"]
    shelf.number += 1
    assert await found(cache) == KEY
    await cache.look()
    assert await found(cache) is None


async def test_nothing_is_believed_for_long_without_a_look(cache: Cache, shelf: Shelf, clock: StillClock) -> None:
    assert await found(cache) == KEY
    del shelf.there[b"a"]
    shelf.number += 1
    clock.advance(BELIEVED_SECONDS)
    assert await found(cache) is None


async def test_while_the_store_is_down_nobody_is_believed_and_nobody_waits(cache: Cache, shelf: Shelf, clock: StillClock) -> None:
    assert await found(cache) == KEY
    shelf.down = True
    assert await found(cache) == KEY
    clock.advance(BELIEVED_SECONDS)
    for _ in range(20):
        with pytest.raises(Unavailable):
            await found(cache)
    assert 2 == shelf.looks
    shelf.down = False
    clock.advance(RETRY_SECONDS)
    assert await found(cache) == KEY


async def test_whoever_waits_while_it_goes_down_is_told(cache: Cache, shelf: Shelf) -> None:
    await cache.look()
    shelf.down = True
    with pytest.raises(Unavailable):
        await found(cache)
    shelf.down = False
    assert await found(cache) == KEY


async def test_an_answer_older_than_the_change_is_for_those_who_asked_before_it(cache: Cache, shelf: Shelf) -> None:
    shelf.open.clear()
    before = asyncio.ensure_future(found(cache))
    await shelf.entered.wait()
    del shelf.there[b"a"]
    cache.forget()
    after = asyncio.ensure_future(found(cache))
    shelf.open.set()
    assert (KEY, None) == (await before, await after)
    assert await found(cache) is None
    assert [[b"a"], [b"a"]] == shelf.asked


async def test_one_who_leaves_takes_nobody_along(cache: Cache, shelf: Shelf) -> None:
    shelf.open.clear()
    leaving, staying = (asyncio.ensure_future(found(cache)) for _ in range(2))
    await shelf.entered.wait()
    leaving.cancel()
    shelf.open.set()
    assert await staying == KEY
    await cache.close()


async def test_closing_ends_the_waiting(cache: Cache, shelf: Shelf) -> None:
    shelf.open.clear()
    waiting = asyncio.ensure_future(found(cache))
    await shelf.entered.wait()
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
