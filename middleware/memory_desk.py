"""What is done behind the answers, and who has to wait for it: the next request of the same session.

A client that has its answer's end may ask on at once, and in another worker of the same gateway. So each worker tells the others, in the
memory that they share, that it is about to write down a turn: a number for each of a few hundred slots, into which sessions fall. Two
sessions in the same slot wait for each other, for a few milliseconds.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Final
from zlib import crc32

import structlog

from ailb.errors import Refusal
from ailb.sessions import Session
from ailb.tally import Tally

LOG = structlog.get_logger("ailb.memory")

MOST: Final = 2000
"""Turns under way. What comes on top of that, while the store is stuck, is not remembered."""

FEW: Final = 4
"""Pieces of spare work at a time."""

WAIT_SECONDS: Final = 1.0
"""How long a request waits for its session's last turn to be written down."""

POLL_SECONDS: Final = 0.002
LEAST_POLLS: Final = 25
"""However long they take: where the whole process stood still, so did the one that writes."""

STALE_SECONDS: Final = 5.0
"""After which nobody believes that a turn is still about to be written down: its worker died."""

CLOSE_SECONDS: Final = 5.0
SLOTS: Final = 512

_KIND: Final = "memory_writing"
_MILLIS: Final = 1000

Work = Callable[[], Awaitable[object]]


class Desk:
    """Every piece of work is a task of its own: nobody's answer, and nobody's bill, waits for it."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._row = tally.row(_KIND, width=SLOTS)
        self._ending: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._few = asyncio.Semaphore(FEW)

    def ending(self, session: Session) -> None:
        """An answer is at its end: whoever asks next in the session waits until `ended`."""
        slot = _slot(session)
        self._ending[slot] += 1
        self._row[slot] = _now()

    def ended(self, session: Session) -> None:
        slot = _slot(session)
        self._ending[slot] -= 1
        if self._ending[slot] <= 0:
            del self._ending[slot]
            self._row[slot] = 0

    def write(self, session: Session, work: Work) -> None:
        """Work after which it is `ended`."""
        task = self.start(work)
        if task is None:
            self.ended(session)
        else:
            task.add_done_callback(lambda done: self.ended(session))

    def start(self, work: Work) -> "asyncio.Task[None] | None":
        """Work that no request waits for. None where there is too much of it already."""
        if len(self._tasks) >= MOST:
            LOG.warning("too much to remember", waiting=len(self._tasks))
            return None
        task = asyncio.create_task(_guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def spare(self, work: Work) -> None:
        """Work that is left undone where there is too much: it takes half of the places, so that turns are still written down, and is done
        a few pieces at a time, so that whoever asks for the same meanwhile waits for no more than these.
        """
        if len(self._tasks) < MOST // 2:
            self.start(partial(self._one_of_few, work))

    async def written(self, session: Session) -> None:
        """Waits until what was said in a session is written down, by any worker of this gateway, but not for long."""
        slot, loop = _slot(session), asyncio.get_running_loop()
        until, polls = loop.time() + WAIT_SECONDS, 0
        while self._is_ending(slot) and (loop.time() < until or polls < LEAST_POLLS):
            await asyncio.sleep(POLL_SECONDS)  # other processes have no event to offer
            polls += 1

    async def close(self) -> None:
        """Waits for all of it, but not for long."""
        until = monotonic() + CLOSE_SECONDS
        while self._tasks and monotonic() < until:  # a piece of work may begin another one
            await asyncio.wait(self._tasks, timeout=until - monotonic())
        for task in self._tasks:
            task.cancel()

    async def _one_of_few(self, work: Work) -> None:
        async with self._few:
            await work()

    def _is_ending(self, slot: int) -> bool:
        now = _now()
        return any(row[slot] and now - row[slot] < STALE_SECONDS * _MILLIS for _, row in self._tally.each(_KIND))


def _slot(session: Session) -> int:
    return crc32(f"{session.user}\0{session.id}".encode(errors="surrogatepass")) % SLOTS


def _now() -> int:
    """Milliseconds of the clock that all processes of a machine have in common; never 0."""
    return int(monotonic() * _MILLIS) or 1


async def _guarded(work: Work) -> None:
    try:
        await work()
    except Refusal as problem:
        LOG.warning("not remembered", problem=problem.message)
    # Nobody waits for this task who could tell of a bug in it.
    except Exception:
        LOG.exception("bug")
