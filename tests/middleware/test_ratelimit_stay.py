"""One request's stay, step by step: whatever is taken comes back, wherever it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import Any

import pytest

from ailb.errors import RateLimited
from ailb.exchange import Outcome
from ailb.testing import ask
from ailb.usage import Usage
from middleware.ratelimit_stay import Stay
from middleware.ratelimit_window import Admission, BooksLost, Limits, Share, Window, unfit

ALL = Limits("a", 10, 1000, 2)


class Slow:
    """Books that wait at every step, as a server's do; the step `fails_at` fails once, with `failure`."""

    def __init__(self, fails_at: int = -1, failure: BaseException | None = None) -> None:
        self.counts: dict[str, int] = {}
        self.slots: set[str] = set()
        self.steps = 0
        self._fails_at = fails_at
        self._failure = failure or BooksLost()

    async def look(self, shares: Sequence[Share]) -> list[Window]:
        windows = []
        for share in shares:
            await self._step()
            windows.append(Window(0, 0.0, self.counts.get(share.name, 0), 90.0))
        return windows

    async def busy(self, account: str) -> int:
        await self._step()
        return len(self.slots)

    async def admit(self, limits: Limits, shares: Sequence[Share], slot: str | None, taken: list[Share]) -> Admission:
        windows = await self.look(shares)
        if (full := unfit(shares, windows)) is not None:
            return Admission(windows, full)
        if slot is not None and limits.parallel is not None:
            if len(self.slots) >= limits.parallel:
                return Admission(windows, crowded=True)
            self.slots.add(slot)
            await self._step()  # taken, and then the answer is lost
        for share in shares:
            await self._step()
            count = self.counts.get(share.name, 0) + share.cost
            if count > share.limit:
                return Admission(windows, share)
            self.counts[share.name] = count
            taken.append(share)
        return Admission(windows)

    async def correct(self, name: str, difference: int, age: float) -> None:
        self.counts[name] += difference

    async def leave(self, account: str, slot: str) -> None:
        self.slots.discard(slot)

    async def _step(self) -> None:
        self.steps += 1
        await asyncio.sleep(0)
        if self.steps == self._fails_at:
            raise self._failure


def stay(books: Any, slot: str = "x", limits: Limits = ALL, **body: Any) -> Stay:
    return Stay(ask("x" * 400, **body), limits, books, slot)


async def settle(stay: Stay, outcome: Outcome) -> None:
    waiting = stay.settle(outcome)
    if isawaitable(waiting):
        await waiting


REFUSED = Outcome("refused", 429, 0.0)


async def test_it_takes_of_everything() -> None:
    books = Slow()
    mine = stay(books, max_tokens=50)
    await mine.admit()
    assert ({"requests/a": 1, "tokens/a": 150}, {"x"}) == (books.counts, books.slots)
    await settle(mine, Outcome("complete", 200, 0.1, usage=Usage(90, 20)))
    assert ({"requests/a": 1, "tokens/a": 110}, set()) == (books.counts, books.slots)


@pytest.mark.parametrize("limits", [Limits("a", None, None, 1), Limits("a", 5, None, None), Limits("a", None, 500, None)])
async def test_it_takes_of_nothing_that_has_no_limit(limits: Limits) -> None:
    books = Slow()
    mine = stay(books, limits=limits)
    await mine.admit()
    assert 1 == len(books.counts) + len(books.slots)
    await settle(mine, REFUSED)
    assert set() == books.slots


@pytest.mark.parametrize("failure", [BooksLost, asyncio.CancelledError, RuntimeError])
@pytest.mark.parametrize("step", range(1, 6))
async def test_what_fails_at_any_step_leaves_nothing_behind(step: int, failure: Callable[[], BaseException]) -> None:
    books = Slow(step, failure())
    mine = stay(books)
    with pytest.raises((BooksLost, asyncio.CancelledError, RuntimeError)):
        await mine.admit()
    await settle(mine, REFUSED)
    assert (step, {0}, set()) == (books.steps, {0, *books.counts.values()}, books.slots)


async def test_who_loses_the_race_gives_all_back() -> None:
    books = Slow()
    stays = [stay(books, str(number), Limits("a", 10, 1000, 50)) for number in range(30)]
    seen = await asyncio.gather(*(one.admit() for one in stays), return_exceptions=True)
    assert 10 == seen.count(None)
    refused = [one for one, came in zip(stays, seen, strict=True) if isinstance(came, RateLimited)]
    assert 20 == len(refused)
    for one in refused:
        await settle(one, REFUSED)
    assert ({"requests/a": 10, "tokens/a": 1000}, 10) == (books.counts, len(books.slots))


@pytest.mark.parametrize(
    ("text", "body", "cost"),
    [
        ("", {}, 1),
        ("x" * 400, {}, 100),
        ("ä" * 400, {}, 200),
        ("\ud800" * 8, {}, 2),
        ("x" * 400, {"max_tokens": 7}, 107),
        ("x" * 400, {"max_completion_tokens": 7, "max_tokens": 9}, 109),
        ("x" * 400, {"max_tokens": 1 << 31}, 1000),
    ],
)
async def test_tokens_are_estimated(text: str, body: dict[str, Any], cost: int) -> None:
    books = Slow()
    await Stay(ask(text, **body), Limits("a", None, 1000, None), books, "x").admit()
    assert {"tokens/a": cost} == books.counts


async def test_nothing_to_give_back_is_nothing_to_wait_for() -> None:
    mine = stay(Slow(), limits=Limits("a", 5, None, None))
    await mine.admit()
    waiting: Awaitable[None] | None = mine.settle(Outcome("complete", 200, 0.1))
    assert waiting is None


async def test_who_only_looks_takes_nothing() -> None:
    books = Slow()
    await stay(books, "y").admit()
    before = (dict(books.counts), set(books.slots))
    mine = stay(books)
    await mine.look()
    assert before == (books.counts, books.slots)
    with pytest.raises(RateLimited):
        await stay(books, limits=Limits("a", 10, 1000, 1)).look()
    with pytest.raises(RateLimited):
        await stay(books, limits=Limits("a", 1, None, None)).look()
