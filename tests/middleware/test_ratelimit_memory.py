import pytest

from middleware.ratelimit_memory import Memory
from middleware.ratelimit_window import Window


class Wall:
    """A clock at which it is always `at`, seconds since 1970."""

    def __init__(self, at: float = 600.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


async def test_what_is_taken_is_seen() -> None:
    books = Memory()
    assert 0 == (await books.look("requests/a")).used
    assert await books.take("requests/a", 10, 3)
    assert (3, 0) == ((await books.look("requests/a")).used, (await books.look("requests/b")).used)


async def test_what_does_not_fit_is_not_taken() -> None:
    books = Memory(now=Wall())
    assert [True, False, True, False] == [await books.take("a", 10, cost) for cost in (9, 2, 1, 11)]
    assert 10 == (await books.look("a")).used


async def test_of_the_minute_before_as_much_counts_as_is_less_than_a_minute_ago() -> None:
    wall = Wall(659.0)
    books = Memory(now=wall)
    await books.take("a", 100, 60)
    assert Window(0, 0.0, 60, 61.0) == await books.look("a")
    wall.at = 675.0
    assert Window(60, 45.0, 0, 105.0) == await books.look("a")
    assert [False, True] == [await books.take("a", 55, cost) for cost in (11, 10)]
    assert Window(60, 45.0, 10, 105.0) == await books.look("a")
    wall.at = 720.0
    assert Window(10, 60.0, 0, 120.0) == await books.look("a")
    wall.at = 780.0
    assert Window(0, 0.0, 0, 120.0) == await books.look("a")


@pytest.mark.parametrize(("difference", "left"), [(-4, 5), (-9, 0), (-1000, 0), (100, 109)])
async def test_what_was_taken_can_be_corrected(difference: int, left: int) -> None:
    books = Memory(now=Wall())
    await books.take("a", 10, 9)
    books.correct("a", difference, 0.0)
    assert left == (await books.look("a")).used


async def test_a_correction_goes_to_the_minute_in_which_it_was_taken() -> None:
    wall = Wall(600.0)
    books = Memory(now=wall)
    await books.take("a", 100, 50)
    wall.at = 660.0
    await books.take("a", 100, 5)
    books.correct("a", -40, 60.0)
    books.correct("a", -40, 200.0)
    window = await books.look("a")
    assert (10, 5) == (window.previous, window.current)


async def test_slots_are_as_many_as_there_are() -> None:
    books = Memory()
    assert [True, True, False] == [await books.enter("a", 2, slot) for slot in "xyz"]
    assert await books.enter("b", 2, "x")
    assert (2, 1, 0) == tuple([await books.busy(account) for account in "abc"])
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
    books = Memory(most=100, now=Wall())
    for number in range(1000):
        await books.take(f"user/{number}", 10, 1)
    assert 100 == len(books._counts)
    assert (0, 1) == ((await books.look("user/899")).used, (await books.look("user/999")).used)


async def test_what_is_too_old_to_count_makes_room() -> None:
    wall = Wall(600.0)
    books = Memory(now=wall)
    for number in range(50):
        await books.take(str(number), 10, 1)
    wall.at = 660.0
    await books.take("new", 10, 1)
    assert 51 == len(books._counts)
    wall.at = 720.0
    await books.take("newer", 10, 1)
    assert [("new", 11), ("newer", 12)] == list(books._counts)
