"""The books of one process."""

import time
from collections.abc import Callable
from typing import Final

from middleware.ratelimit_window import MINUTE, Window

MOST: Final = 50_000
"""Counts that are kept at a time; each limit of each account has one for every minute that it was busy in."""


class Memory:
    """Nothing in here waits, so that nobody comes between a look and a take. At most `most` counts: past that the oldest are forgotten, or
    whoever makes up new names could fill the memory. `now` is seconds since 1970.
    """

    def __init__(self, most: int = MOST, now: Callable[[], float] = time.time) -> None:
        self._most = most
        self._now = now
        self._counts: dict[tuple[str, int], int] = {}
        self._slots: dict[str, set[str]] = {}

    async def look(self, name: str) -> Window:
        minute, second = divmod(self._now(), MINUTE)
        return self._window(name, int(minute), second)

    async def busy(self, account: str) -> int:
        return len(self._slots.get(account, ()))

    async def take(self, name: str, limit: int, cost: int) -> bool:
        number, second = divmod(self._now(), MINUTE)
        minute = int(number)
        window = self._window(name, minute, second)
        if window.used + cost > limit:
            return False
        if (name, minute) not in self._counts:
            self._make_room(minute)
        self._counts[name, minute] = window.current + cost
        return True

    async def enter(self, account: str, most: int, slot: str) -> bool:
        slots = self._slots.setdefault(account, set())
        if len(slots) < most:
            slots.add(slot)
        elif not slots:
            del self._slots[account]
        return slot in slots

    def correct(self, name: str, difference: int, age: float) -> None:
        """A count that is not there any more stays forgotten; none becomes less than nothing."""
        key = (name, int((self._now() - age) // MINUTE))
        if key in self._counts:
            self._counts[key] = max(0, self._counts[key] + difference)

    def leave(self, account: str, slot: str) -> None:
        slots = self._slots.get(account, set())
        slots.discard(slot)
        if not slots:
            self._slots.pop(account, None)

    def _window(self, name: str, minute: int, second: float) -> Window:
        previous = self._counts.get((name, minute - 1), 0)
        return Window(previous, MINUTE - second if previous else 0.0, self._counts.get((name, minute), 0), 2 * MINUTE - second)

    def _make_room(self, minute: int) -> None:
        """Counts are in the order in which they were begun: the first is always the next to go."""
        while self._counts:
            oldest = next(iter(self._counts))
            if len(self._counts) < self._most and oldest[1] >= minute - 1:
                return
            del self._counts[oldest]
