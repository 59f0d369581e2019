"""The books of one process."""

import time
from typing import Final

from limits.storage import MemoryStorage

from middleware.ratelimit_window import MINUTE, Window

MOST: Final = 50_000
"""Counts that are kept at a time; each limit of each account has one for every minute that it was busy in."""


class Memory:
    """Nothing in here waits, so that nobody comes between a look and a take."""

    def __init__(self, most: int = MOST) -> None:
        self._counts = Counts(most)
        self._slots: dict[str, set[str]] = {}

    async def look(self, name: str) -> Window:
        return self._counts.window(name)

    async def busy(self, account: str) -> int:
        return len(self._slots.get(account, ()))

    async def take(self, name: str, limit: int, cost: int) -> bool:
        fits = self._counts.window(name).used + cost <= limit
        if fits:
            self._counts.incr(self._counts.minutes(name)[1], 2 * MINUTE, cost)
        return fits

    async def enter(self, account: str, most: int, slot: str) -> bool:
        slots = self._slots.setdefault(account, set())
        if len(slots) < most:
            slots.add(slot)
        elif not slots:
            del self._slots[account]
        return slot in slots

    def correct(self, name: str, difference: int, age: float) -> None:
        self._counts.correct(self._counts.minutes(name, age)[1], difference)

    def leave(self, account: str, slot: str) -> None:
        slots = self._slots.get(account, set())
        slots.discard(slot)
        if not slots:
            self._slots.pop(account, None)


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

    def minutes(self, name: str, age: float = 0.0) -> tuple[str, str]:
        """The keys of the minute that was running `age` seconds ago, and before it of the one before."""
        return self.sliding_window_keys(name, MINUTE, time.monotonic() - age)

    def window(self, name: str) -> Window:
        now = time.monotonic()
        return Window(*self._get_sliding_window_info(*self.sliding_window_keys(name, MINUTE, now), MINUTE, now))

    def get(self, key: str) -> int:
        return self._count(key)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        count = self._count(key)
        if key not in self.storage:
            self._make_room()
            self.expirations[key] = time.monotonic() + expiry
        self.storage[key] = count + amount
        return count + amount

    def correct(self, key: str, difference: int) -> None:
        """Changes a count that is still there, to no less than nothing."""
        if key in self.storage:
            self.storage[key] = max(0, self.storage[key] + difference)

    def _count(self, key: str) -> int:
        if key not in self.storage:
            return 0
        if self.expirations[key] <= time.monotonic():
            del self.storage[key], self.expirations[key]
            return 0
        return self.storage[key]

    def _make_room(self) -> None:
        """Keys are in the order in which they were made, and all live equally long: the first is always the next to go."""
        now = time.monotonic()
        while self.storage:
            oldest = next(iter(self.storage))
            if len(self.storage) < self._most and self.expirations[oldest] > now:
                return
            del self.storage[oldest], self.expirations[oldest]
