"""Several processes behind one listening socket: forked before anything runs, watched, and ended together.

A worker that dies young has something wrong with it that the next one would have too: then all are ended, so that nobody stands half
alive behind an open port. One that had lived a while is replaced. Each has a seat, a number from 0 on, which its successor takes over.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog

from ailb import log
from ailb.errors import ConfigError

LOG = structlog.get_logger("ailb.workers")
YOUNG_SECONDS: Final = 10.0
ENDING: Final = (signal.SIGTERM, signal.SIGINT)
TOLD: Final = (*ENDING, signal.SIGHUP)


def supervise(number: int, run: Callable[[int], int], *, young_seconds: float = YOUNG_SECONDS) -> int:
    """Runs `run(seat)` in `number` processes until SIGTERM or SIGINT tells them to end. Returns the exit status: 0, or 1 when one failed.

    SIGHUP is passed on too; it is blocked in a worker until `run` wants it. Nothing may have been started before that a fork does not
    survive: no thread, no event loop.
    """
    crew = _Crew(run, young_seconds)
    with crew.listening():
        for seat in range(number):
            crew.hire(seat)
        return crew.watch()


class _Crew:
    def __init__(self, run: Callable[[int], int], young_seconds: float) -> None:
        self._run = run
        self._young_seconds = young_seconds
        self._born: dict[int, tuple[int, float]] = {}
        self._ending = False
        self._failed = False

    def hire(self, seat: int) -> None:
        """Signals wait meanwhile: one in between would miss the new worker, or be taken by it for its supervisor's."""
        signal.pthread_sigmask(signal.SIG_BLOCK, TOLD)
        try:
            if self._ending:
                return
            pid = os.fork()
            if pid == 0:
                self._work(seat)
            self._born[pid] = seat, time.monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, TOLD)

    def watch(self) -> int:
        """Until the last worker is gone."""
        while self._born:
            pid, status = os.wait()
            born = self._born.pop(pid, None)
            if born is not None and not self._ending:
                seat, since = born
                self._replace(pid, seat, os.waitstatus_to_exitcode(status), time.monotonic() - since)
            elif status != 0:
                self._failed = True
        return int(self._failed)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Passes signals on to the workers."""
        before = {number: signal.signal(number, self._pass_on) for number in TOLD}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _work(self, seat: int) -> None:
        for number in TOLD:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        status = 1
        try:
            status = self._run(seat)
        except KeyboardInterrupt:
            status = 0
        except ConfigError as problem:
            LOG.error("worker failed", problem=str(problem))
        # A child must never return into its parent's code.
        except BaseException:
            LOG.exception("worker failed")
        finally:
            try:
                log.flush()
            finally:
                os._exit(status)

    def _replace(self, pid: int, seat: int, status: int, lived: float) -> None:
        LOG.error("a worker ended", pid=pid, status=status)
        if lived >= self._young_seconds:
            self.hire(seat)
            return
        self._failed = True
        self._tell(signal.SIGTERM)

    def _pass_on(self, number: int, _frame: object) -> None:
        self._tell(signal.Signals(number))

    def _tell(self, number: signal.Signals) -> None:
        self._ending = self._ending or number != signal.SIGHUP
        for pid in list(self._born):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
