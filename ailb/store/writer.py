"""The one writer: a task that takes all that waits to be written and commits it together.

Durability costs one commit a batch, not one a request, and whoever waits can be cancelled at any time without leaving a transaction open:
the statements run in the writer's task, never in a caller's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import Unavailable
from ailb.store.links import Link

LOG = structlog.get_logger("ailb.store")
RETRY_SECONDS: Final = 0.25
FLUSH_SECONDS: Final = 5.0
"""How long the end waits for what is still to be written."""

LINGER_SECONDS: Final = 0.005
"""How long what is to be kept waits for others. Nobody's answer waits for it, and whoever asks next saves it a transaction of its own."""

RETRY: Final = {"retry-after": "1"}

Batch = Callable[[AsyncConnection, Sequence[Any]], Awaitable[Sequence[Any]]]
"""Writes items that came one after another, in their order; gives an answer for each. An answer that is an exception is raised to whoever
waits for it, and everything else is written all the same."""


class Unsure(Unavailable):
    """The connection was lost in the middle of a commit: it may be written or not."""


def is_down(error: BaseException) -> bool:
    """Whether the database could not do its work, as opposed to being told something wrong."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or not isinstance(error, IntegrityError | DataError | ProgrammingError)
    return isinstance(error, PoolTimeout | OSError | TimeoutError)


def down(error: BaseException) -> Unavailable:
    """What the client is told; what it was is in the log."""
    LOG.warning("store failed", problem=told(error))
    return Unavailable("the store is not available", headers=RETRY)


def told(error: BaseException) -> str:
    """The driver's own words, in a line, without statement and parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"{type(cause).__name__}: {cause}".split("\n")[0][:300]


@dataclass(slots=True)
class _Job:
    batch: Batch
    item: Any
    keep: bool
    future: asyncio.Future[Any]

    def answer(self, answer: Any) -> None:
        if self.future.done():
            return
        if isinstance(answer, Exception):
            self.future.set_exception(answer)
            self.future.exception()  # nobody may be waiting any more, and that is no bug
        else:
            self.future.set_result(answer)


class Writer:
    """Owns the only connection that writes, between `start` and `stop`."""

    def __init__(self, link: Link, *, linger_seconds: float = LINGER_SECONDS) -> None:
        self._link = link
        self._linger_seconds = linger_seconds
        self._waiting: list[_Job] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._writing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self.failing = False
        """Whether the last transaction failed."""

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether anything was put that is not committed yet."""
        return self._writing or bool(self._waiting)

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()  # kept: until Python 3.12 each look asks the system for the process's id
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """After what waits was written, or could not be within `FLUSH_SECONDS`."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=FLUSH_SECONDS)
            self._task.cancel()
            await asyncio.wait((self._task,))
        if self._waiting:
            LOG.error("not written", left=len(self._waiting))
        for job in self._waiting:
            job.answer(Unavailable("the store is closed"))
        await self._link.close()

    def put(self, batch: Batch, item: Any, *, keep: bool = False) -> asyncio.Future[Any]:
        """The answer of `batch` for `item`, once it is committed. `keep`: tried again until the database takes it, and in no hurry;
        else Unavailable.
        """
        loop = self._loop or asyncio.get_running_loop()
        future = loop.create_future()
        job = _Job(batch, item, keep, future)
        if self._stopping and (self._task is None or self._task.done()):
            job.answer(Unavailable("the store is closed"))
            return future
        self._waiting.append(job)
        if not keep or self._stopping:
            self._wake.set()
        elif self._lingering is None:
            self._lingering = loop.call_later(self._linger_seconds, self._wake.set)
        return future

    async def _run(self) -> None:
        while self._waiting or not self._stopping:
            await self._wait()
            if self._lingering is not None:
                self._lingering.cancel()
                self._lingering = None
            jobs = [job for job in self._waiting if job.keep or not job.future.cancelled()]
            self._waiting = []
            self._writing = True
            kept = await self._write(jobs) if jobs else []
            self._writing = False
            self._waiting = kept + self._waiting
            if self._stopping and kept:
                await asyncio.sleep(RETRY_SECONDS)

    async def _wait(self) -> None:
        """Until there is something new, or it is time to try again."""
        if self._stopping:
            return
        again = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._wake.set) if self._waiting else None
        await self._wake.wait()
        self._wake.clear()
        if again is not None:
            again.cancel()

    async def _write(self, jobs: list[_Job]) -> list[_Job]:
        """In one transaction. Gives back what is to be tried again."""
        try:
            answers = await self._transaction(jobs)
        # Whatever it was, everybody who waits must hear of it, and the writer must live: it is the only one.
        except Exception as error:  # noqa: BLE001 - see above
            return await self._failed(jobs, error)
        self.failing = False
        for job, answer in zip(jobs, answers, strict=True):
            job.answer(answer)
        return []

    async def _failed(self, jobs: list[_Job], error: Exception) -> list[_Job]:
        await self._link.disconnect()
        if is_down(error):
            self.failing = True
            refusal = down(error)
            if self._link.committing:
                refusal = Unsure(refusal.message, headers=RETRY)
            if isinstance(getattr(error, "orig", error), TimeoutError):  # no answer at all: whoever came meanwhile would wait as long again
                self._waiting = _refused(self._waiting, Unavailable(refusal.message, headers=RETRY))
            return _refused(jobs, refusal)
        if len(jobs) > 1:  # one of them is the culprit; the others are written
            return [kept for job in jobs for kept in await self._write([job])]
        LOG.error("refused by the store", problem=told(error), exc_info=error)
        jobs[0].answer(error)
        return []

    async def _transaction(self, jobs: list[_Job]) -> list[Any]:
        async def work(connection: AsyncConnection) -> list[Any]:
            answers: list[Any] = []
            for batch, run in groupby(jobs, key=lambda job: job.batch):
                answers.extend(await batch(connection, [job.item for job in run]))
            return answers

        return await self._link.transaction(work)


def _refused(jobs: list[_Job], refusal: Unavailable) -> list[_Job]:
    """Those that are to be kept all the same."""
    for job in jobs:
        if not job.keep:
            job.answer(refusal)
    return [job for job in jobs if job.keep]


async def one_by_one(connection: AsyncConnection, works: Sequence[Callable[[AsyncConnection], Awaitable[Any]]]) -> list[Any]:
    """A Batch of functions, each in a savepoint of its own."""
    answers: list[Any] = []
    for work in works:
        try:
            async with connection.begin_nested():
                answers.append(await work(connection))
        # What a caller's function raises is the caller's; the others in this transaction have nothing to do with it.
        except Exception as error:
            if is_down(error):
                raise
            answers.append(error)
    return answers
