import threading

import pytest

from middleware.ratelimit_memory import Counts, Memory
from middleware.ratelimit_window import Limits, Share, Window


def share(name: str, limit: int = 10, cost: int = 1) -> Share:
    return Share("requests", name, limit, cost)


async def window(books: Memory, name: str) -> Window:
    (seen,) = await books.look([share(name)])
    return seen


async def takes(books: Memory, *shares: Share) -> bool:
    """Whether all of them fit."""
    taken: list[Share] = []
    fits = (await books.admit(Limits("a", 10, None, None), shares, None, taken)).unfit is None
    assert taken == (list(shares) if fits else [])
    return fits


async def enters(books: Memory, account: str, most: int, slot: str) -> bool:
    return not (await books.admit(Limits(account, None, None, most), (), slot, [])).crowded


async def test_what_is_taken_is_seen() -> None:
    books = Memory()
    assert 0 == (await window(books, "requests/a")).used
    assert await takes(books, share("requests/a", 10, 3))
    assert (3, 0) == ((await window(books, "requests/a")).used, (await window(books, "requests/b")).used)


async def test_what_does_not_fit_is_not_taken() -> None:
    books = Memory()
    assert [True, False, True] == [await takes(books, share("a", 10, cost)) for cost in (9, 2, 1)]
    assert 10 == (await window(books, "a")).used


@pytest.mark.parametrize(("difference", "left"), [(-4, 5), (-9, 0), (-1000, 0), (100, 109)])
async def test_what_was_taken_can_be_corrected(difference: int, left: int) -> None:
    books = Memory()
    await takes(books, share("a", 10, 9))
    books.correct("a", difference, 0.0)
    assert left == (await window(books, "a")).used


async def test_a_correction_goes_to_the_minute_in_which_it_was_taken() -> None:
    counts = Counts(100)
    previous, current = counts.minutes("a")
    counts.incr(previous, 120, 50)
    counts.incr(current, 120, 5)
    books = Memory()
    books._counts = counts
    books.correct("a", -40, 60.0)
    books.correct("a", -40, 200.0)
    seen = await window(books, "a")
    assert (10, 5) == (seen.previous, seen.current)


async def test_slots_are_as_many_as_there_are() -> None:
    books = Memory()
    assert [True, True, False] == [await enters(books, "a", 2, slot) for slot in "xyz"]
    assert await enters(books, "b", 2, "x")
    books.leave("a", "z")
    assert not await enters(books, "a", 2, "z")
    books.leave("a", "x")
    assert await enters(books, "a", 2, "z")
    for slot in "xyz":
        books.leave("a", slot)
    books.leave("b", "x")
    assert not await enters(books, "a", 0, "x")
    assert {} == books._slots


async def test_the_oldest_are_forgotten_past_the_cap() -> None:
    books = Memory(most=100)
    for number in range(1000):
        await takes(books, share(f"user/{number}", 10, 1))
    assert 100 == len(books._counts.storage) == len(books._counts.expirations)
    assert (0, 1) == ((await window(books, "user/899")).used, (await window(books, "user/999")).used)


def test_what_has_expired_makes_room() -> None:
    counts = Counts(100)
    for number in range(50):
        counts.incr(str(number), -1.0)
    counts.incr("new", 120)
    assert {"new"} == set(counts.storage) == set(counts.expirations)
    counts.incr("old", -1.0)
    assert 0 == counts.get("old")


def test_no_thread_stays_behind() -> None:
    before = threading.active_count()
    Counts(1)
    assert before == threading.active_count()


async def test_it_says_how_many_slots_are_taken() -> None:
    books = Memory()
    assert [True, True, False] == [await enters(books, "a", 2, slot) for slot in "xyz"]
    assert (2, 0) == (await books.busy("a"), await books.busy("b"))
    books.leave("a", "x")
    assert 1 == await books.busy("a")


async def test_who_is_refused_takes_nothing() -> None:
    books, taken = Memory(), list[Share]()
    assert await takes(books, share("a", 10, 9))
    both = [share("b", 10, 1), share("a", 10, 2)]
    assert both[1] == (await books.admit(Limits("a", 10, None, 1), both, "x", taken)).unfit
    assert await enters(books, "a", 1, "x")
    assert (await books.admit(Limits("a", 10, None, 1), both[:1], "y", taken)).crowded
    assert ([], 9, 0) == (taken, (await window(books, "a")).used, (await window(books, "b")).used)
