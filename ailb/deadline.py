"""A time limit on a stretch of one task: `asyncio.timeout` at a fraction of its cost, without rescheduling."""

import asyncio
from types import TracebackType
from typing import Any


class Deadline:
    """`with Deadline(3.0): await ...` raises TimeoutError after 3 seconds. Cancellation from elsewhere passes through."""

    __slots__ = ("_expired", "_handle", "_seconds", "_task")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False
        self._task: asyncio.Task[Any] | None = None
        self._handle: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        self._handle = loop.call_later(self._seconds, self._expire)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._expired and self._task is not None and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        if self._task is not None:
            self._expired = True
            self._task.cancel()
