"""Real forks of a small process of its own: pytest's has threads, which a fork would not survive."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PROGRAM = """
import os, signal, sys, time
from ailb import workers

def run(seat):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    sys.stdout.write(f"{os.getpid()} {seat}\\n"); sys.stdout.flush()
    {body}
    return 0

sys.exit(workers.supervise(2, run, young_seconds={young}))
"""
WAITS = "[time.sleep(60) for _ in range(9)]"


@contextmanager
def started(body: str, young: float = 10) -> Iterator["subprocess.Popen[str]"]:
    program = PROGRAM.replace("{body}", body).replace("{young}", str(young))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def born(process: "subprocess.Popen[str]") -> tuple[int, int]:
    """The next one's process id and seat; in between are lines of the log."""
    assert process.stdout is not None
    while len(words := process.stdout.readline().split()) != 2:
        assert words, "no more of them"
    return int(words[0]), int(words[1])


def pids(process: "subprocess.Popen[str]") -> list[int]:
    return [born(process)[0] for _ in range(2)]


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)  # Nobody tells a stranger that a process ended.
    return False


def test_all_end_when_told() -> None:
    with started(WAITS) as process:
        workers = pids(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert len({*workers, process.pid}) == 3
    assert all(map(gone, workers))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_one_that_dies_young_takes_all_with_it(how: signal.Signals) -> None:
    with started(WAITS) as process:
        first, second = pids(process)
        os.kill(first, how)
        assert process.wait(20) == 1
    assert gone(second)


def test_one_that_dies_old_is_replaced_in_its_seat() -> None:
    with started(WAITS, young=0) as process:
        workers = {seat: pid for pid, seat in (born(process), born(process))}
        assert {0, 1} == workers.keys()
        for seat in (1, 0, 1):
            os.kill(workers[seat], signal.SIGKILL)
            pid, taken = born(process)
            assert seat == taken
            workers[seat] = pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert all(map(gone, workers.values()))


def test_what_the_log_still_holds_is_written_before_the_end() -> None:
    later = (
        "import asyncio; from ailb import log; log.configure()\n    async def end(): workers.LOG.info('the end')\n    asyncio.run(end())"
    )
    with started(later) as process:
        assert process.wait(20) == 1  # it died young
        assert process.stdout is not None
        assert "the end" in process.stdout.read()


def test_what_the_configuration_is_to_blame_for_is_one_line() -> None:
    with started("from ailb.errors import ConfigError; raise ConfigError('[store]', 'no store')") as process:
        assert process.wait(20) == 1
        assert process.stdout is not None
        said = process.stdout.read()
    assert "[store]: no store" in said
    assert "Traceback" not in said


def test_one_that_cannot_begin_is_a_failure_of_all() -> None:
    with started("raise ValueError('no store')") as process:
        assert process.wait(20) == 1
        assert process.stderr is not None
        assert "no store" in process.stderr.read() + (process.stdout.read() if process.stdout else "")
