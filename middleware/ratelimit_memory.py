"""The books of one process."""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from limits.storage import MemoryStorage

from middleware.ratelimit_window import MINUTE, Admission, Limits, Share, Window, unfit

MOST: Final = 50_000
"""Counts that are kept at a time; each limit of each account has one for every minute that it was busy in."""

MOST_NAMED: Final = 4096
"""Names of which the keys in `limits` are remembered, each for a minute."""


class Memory:
    """Nothing in here waits, so that nobody comes between a look and a take."""

    def __init__(self, most: int = MOST) -> None:
        self._counts = Counts(most)
        self._slots: dict[str, set[str]] = {}

    async def look(self, shares: Sequence[Share]) -> list[Window]:
        return self._counts.look(shares)[0]

    async def busy(self, account: str) -> int:
        return len(self._slots.get(account, ()))

    async def admit(self, limits: Limits, shares: Sequence[Share], slot: str | None, taken: list[Share]) -> Admission:
        windows, keys = self._counts.look(shares)
        full = unfit(shares, windows)
        if full is not None:
            return Admission(windows, full)
        if slot is not None and limits.parallel is not None and not self._enter(limits.account, limits.parallel, slot):
            return Admission(windows, crowded=True)
        for share, key in zip(shares, keys, strict=True):
            self._counts.add(key, share.cost)
        taken += shares
        return Admission(windows)

    def correct(self, name: str, difference: int, age: float) -> None:
        self._counts.correct(self._counts.minutes(name, age)[1], difference)

    def leave(self, account: str, slot: str) -> None:
        slots = self._slots.get(account, set())
        slots.discard(slot)
        if not slots:
            self._slots.pop(account, None)

    def _enter(self, account: str, most: int, slot: str) -> bool:
        if len(self._slots.get(account, ())) >= most:
            return False
        self._slots.setdefault(account, set()).add(slot)
        return True


class Counts(MemoryStorage):
    """The storage of `limits` for threads, which takes less time than the one for asyncio, and needs to wait no more than that; without its
    thread at every hit, which goes through all the keys that there are. At most `most` keys: past that the oldest are forgotten, or
    whoever makes up new names could fill the memory. And by the steady clock: at one that is set new minutes would begin.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.timer.cancel()  # it has a thread look through them already, and whoever forks must not have any
        self.timer.join()
        self._most = most
        self._keys: Callable[[str, int], tuple[str, str]] = lru_cache(MOST_NAMED)(self._named)

    def minutes(self, name: str, age: float = 0.0) -> tuple[str, str]:
        """The keys of the minute that was running `age` seconds ago, and before it of the one before."""
        return self._keys(name, int((time.monotonic() - age) // MINUTE))

    def look(self, shares: Sequence[Share]) -> tuple[list[Window], list[str]]:
        """As `get_sliding_window`, which makes the keys anew at every look; and the key of each one's current minute. No count expires as
        long as its minute is one of the two.
        """
        minute, gone = divmod(time.monotonic(), MINUTE)
        left, storage = MINUTE - gone, self.storage
        windows, keys = [], []
        for share in shares:
            previous, current = self._keys(share.name, int(minute))
            before = storage.get(previous, 0)
            windows.append(Window(before, left if before else 0.0, storage.get(current, 0), left + MINUTE))
            keys.append(current)
        return windows, keys

    def add(self, key: str, cost: int) -> None:
        """To the count of a minute that is running."""
        if key in self.storage:
            self.storage[key] += cost
        else:
            self.incr(key, 2 * MINUTE, cost)

    def get(self, key: str) -> int:
        return self._count(key, time.monotonic())

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.monotonic()
        count = self._count(key, now) + amount
        if key not in self.storage:
            self._make_room(now)
            self.expirations[key] = now + expiry
        self.storage[key] = count
        return count

    def correct(self, key: str, difference: int) -> None:
        """Changes a count that is still there, to no less than nothing."""
        if key in self.storage:
            self.storage[key] = max(0, self.storage[key] + difference)

    def _named(self, name: str, minute: int) -> tuple[str, str]:
        return self.sliding_window_keys(name, MINUTE, minute * MINUTE)

    def _count(self, key: str, now: float) -> int:
        if key not in self.storage:
            return 0
        if self.expirations[key] <= now:
            del self.storage[key], self.expirations[key]
            return 0
        return self.storage[key]

    def _make_room(self, now: float) -> None:
        """Keys are in the order in which they were made, and all live equally long: the first is always the next to go."""
        while self.storage:
            oldest = next(iter(self.storage))
            if len(self.storage) < self._most and self.expirations[oldest] > now:
                return
            del self.storage[oldest], self.expirations[oldest]
