"""A timer for something that keeps happening: what happens only notes the time, so it costs next to nothing."""

import asyncio
from collections.abc import Callable


class Watchdog:
    """Calls `expire()` once when a wait lasts longer than `seconds`. Bracket each wait by `waiting()` and `done()`.

    A timer that is set and cleared at every chunk of every stream costs more than the chunk; this one wakes up at most once per
    `seconds` and looks.
    """

    __slots__ = ("_expire", "_handle", "_loop", "_seconds", "_since")

    def __init__(self, seconds: float, expire: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._expire = expire
        self._since: float | None = None
        self._handle: asyncio.TimerHandle | None = self._loop.call_later(seconds, self._look)

    def waiting(self) -> None:
        self._since = self._loop.time()

    def done(self) -> None:
        self._since = None

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> None:
        left = self._seconds if self._since is None else self._since + self._seconds - self._loop.time()
        if left > 0.001:
            self._handle = self._loop.call_later(left, self._look)
        else:
            self._handle = None
            self._expire()
