"""Time limits at a fraction of what `asyncio.timeout` costs, and rounds for those that nearly nothing reaches."""

import asyncio
from types import TracebackType
from typing import Any, Final, Protocol

ROUND_SECONDS: Final = 0.05


class Late(Protocol):
    """What is told that it takes long."""

    def late(self) -> None: ...


class Rounds:
    """Looks every `ROUND_SECONDS` at what is under way, and calls `late()` once of what was there the last time too: one timer for all
    requests, and none for each that is over in an instant.
    """

    __slots__ = ("_before", "_new", "_turning")

    def __init__(self) -> None:
        self._new: set[Late] = set()
        self._before: set[Late] = set()
        self._turning = False

    def add(self, one: Late) -> None:
        self._new.add(one)
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_later(ROUND_SECONDS, self._turn)

    def discard(self, one: Late) -> None:
        self._new.discard(one)
        self._before.discard(one)

    def _turn(self) -> None:
        late, self._before, self._new = self._before, self._new, set()
        self._turning = bool(self._before)
        if self._turning:
            asyncio.get_running_loop().call_later(ROUND_SECONDS, self._turn)
        for one in late:
            one.late()


class Deadline:
    """`with Deadline(3.0): await ...` raises TimeoutError after 3 seconds. Cancellation from elsewhere passes through. It cannot be moved.

    With `rounds` it has a timer only once it takes long.
    """

    __slots__ = ("_end", "_expired", "_handle", "_rounds", "_seconds", "_task")

    def __init__(self, seconds: float, rounds: Rounds | None = None) -> None:
        self._seconds = seconds
        self._rounds = rounds if seconds > 2 * ROUND_SECONDS else None
        self._end = 0.0
        self._expired = False
        self._task: asyncio.Task[Any] | None = None
        self._handle: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        self._end = loop.time() + self._seconds
        if self._rounds is None:
            self.late()
        else:
            self._rounds.add(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._handle is not None:
            self._handle.cancel()
        elif self._rounds is not None:
            self._rounds.discard(self)
        if self._expired and self._task is not None and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def late(self) -> None:
        self._handle = asyncio.get_running_loop().call_at(self._end, self._expire)

    def _expire(self) -> None:
        if self._task is not None:
            self._expired = True
            self._task.cancel()
