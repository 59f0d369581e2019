import threading

import pytest

from middleware.ratelimit_memory import Counts, Memory
from middleware.ratelimit_window import Window


async def test_what_is_taken_is_seen() -> None:
    books = Memory()
    assert 0 == (await books.look("requests/a")).used
    assert await books.take("requests/a", 10, 3)
    assert (3, 0) == ((await books.look("requests/a")).used, (await books.look("requests/b")).used)


async def test_what_does_not_fit_is_not_taken() -> None:
    books = Memory()
    assert [True, False, True] == [await books.take("a", 10, cost) for cost in (9, 2, 1)]
    assert 10 == (await books.look("a")).used


@pytest.mark.parametrize(("difference", "left"), [(-4, 5), (-9, 0), (-1000, 0), (100, 109)])
async def test_what_was_taken_can_be_corrected(difference: int, left: int) -> None:
    books = Memory()
    await books.take("a", 10, 9)
    books.correct("a", difference, 0.0)
    assert left == (await books.look("a")).used


async def test_a_correction_goes_to_the_minute_in_which_it_was_taken() -> None:
    counts = Counts(100)
    previous, current = counts.minutes("a")
    counts.incr(previous, 120, 50)
    counts.incr(current, 120, 5)
    books = Memory()
    books._counts = counts
    books.correct("a", -40, 60.0)
    books.correct("a", -40, 200.0)
    window: Window = await books.look("a")
    assert (10, 5) == (window.previous, window.current)


async def test_slots_are_as_many_as_there_are() -> None:
    books = Memory()
    assert [True, True, False] == [await books.enter("a", 2, slot) for slot in "xyz"]
    assert await books.enter("b", 2, "x")
    books.leave("a", "z")
    assert not await books.enter("a", 2, "z")
    books.leave("a", "x")
    assert await books.enter("a", 2, "z")
    for slot in "xyz":
        books.leave("a", slot)
    books.leave("b", "x")
    assert not await books.enter("a", 0, "x")
    assert {} == books._slots


async def test_the_oldest_are_forgotten_past_the_cap() -> None:
    books = Memory(most=100)
    for number in range(1000):
        await books.take(f"user/{number}", 10, 1)
    assert 100 == len(books._counts.storage) == len(books._counts.expirations)
    assert (0, 1) == ((await books.look("user/899")).used, (await books.look("user/999")).used)


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
    assert [True, True, False] == [await books.enter("a", 2, slot) for slot in "xyz"]
    assert (2, 0) == (await books.busy("a"), await books.busy("b"))
    books.leave("a", "x")
    assert 1 == await books.busy("a")
