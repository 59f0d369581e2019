"""A timer for something that keeps happening: what happens only notes the time, so it costs next to nothing."""

import asyncio
from collections.abc import Callable
from math import inf


class Watchdog:
    """Calls `expire()` once when a wait lasts longer than `seconds`, or everything longer than `most`: then `late` is set. Bracket each
    wait by `waiting()` and `done()`.

    A timer that is set and cleared at every chunk of every stream costs more than the chunk; this one wakes up at most once per
    `seconds` and looks.
    """

    __slots__ = ("_end", "_expire", "_handle", "_loop", "_seconds", "_since", "late")

    def __init__(self, seconds: float, expire: Callable[[], None], most: float = inf) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._expire = expire
        self._end = self._loop.time() + most
        self._since: float | None = None
        self.late = False
        self._handle: asyncio.TimerHandle | None = self._loop.call_later(min(seconds, most), self._look)

    def waiting(self) -> None:
        self._since = self._loop.time()

    def done(self) -> None:
        self._since = None

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> None:
        now = self._loop.time()
        left = self._seconds if self._since is None else self._since + self._seconds - now
        end = self._end - now
        if left > 0.001 and end > 0.001:
            self._handle = self._loop.call_later(min(left, end), self._look)
        else:
            self.late = end <= 0.001
            self._handle = None
            self._expire()
