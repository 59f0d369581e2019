"""What is done after the answers: turns written down, one after another for each session, so that the next request of it finds them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from ailb.errors import Refusal
from ailb.sessions import Session

LOG = structlog.get_logger("ailb.memory")

MOST: Final = 2000
"""Turns under way. What comes on top of that, while the store is stuck, is not remembered."""

WAIT_SECONDS: Final = 1.0
"""How long a request waits for its session's last turn to be written down."""

CLOSE_SECONDS: Final = 5.0

Work = Callable[[], Awaitable[None]]


class Desk:
    """Every piece of work is a task of its own: nobody's answer, and nobody's bill, waits for it."""

    def __init__(self) -> None:
        self._writing: dict[Session, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def write(self, session: Session, work: Work) -> None:
        """After what is being written of the same session."""
        before = self._writing.get(session)
        task = self.start(lambda: self._after(before, work))
        if task is not None:
            self._writing[session] = task
            task.add_done_callback(lambda done: self._written(session, done))

    def start(self, work: Work) -> "asyncio.Task[None] | None":
        """Work that no request waits for. None where there is too much of it already."""
        if len(self._tasks) >= MOST:
            LOG.warning("too much to remember", waiting=len(self._tasks))
            return None
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def written(self, session: Session) -> None:
        """Waits until what was said in a session is written down, but not for long."""
        writing = self._writing.get(session)
        if writing is not None:
            await asyncio.wait((writing,), timeout=WAIT_SECONDS)

    async def close(self) -> None:
        """Waits for all of it, but not for long."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
            for task in left:
                task.cancel()

    async def _after(self, before: "asyncio.Task[None] | None", work: Work) -> None:
        if before is not None:
            await asyncio.wait((before,))
        await work()

    async def _guarded(self, work: Work) -> None:
        try:
            await work()
        except Refusal as problem:
            LOG.warning("not remembered", problem=problem.message)
        # Nobody waits for this task who could tell of a bug in it.
        except Exception:
            LOG.exception("bug")

    def _written(self, session: Session, task: "asyncio.Task[None]") -> None:
        if self._writing.get(session) is task:
            del self._writing[session]
