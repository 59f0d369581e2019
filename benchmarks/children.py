"""Processes that are started for the run and never outlive it."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
GOODBYE_SECONDS = 1.0
SERVER_PORTS = range(20_000, 32_768)

Process = subprocess.Popen[bytes]


class BenchmarkError(Exception):
    """Why there is no measurement; the message is for the person who ran the command."""


def free_port() -> int:
    """Below the ports that the kernel gives to the thousands of connections of a run."""
    for port in random.sample(SERVER_PORTS, 100):
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise BenchmarkError("no free port")


@contextmanager
def child(
    command: Sequence[str], folder: Path, log: Path, core: int | None = None, *, environ: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """The process, in a group of its own that is ended with the block, working in `folder` and bound to one core if told so."""
    given = {**_environ(folder), **(environ or {})}
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, env=given, stdout=output, stderr=output, start_new_session=True)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        yield process
    finally:
        _end(process)


def leave_when_told() -> None:
    """From now on a terminated run ends its children, as an interrupted one does."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def _environ(folder: Path) -> dict[str, str]:
    """With compiled modules kept from one start to the next, as an installed package has them."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _end(process: Process) -> None:
    """Asked first, then made to, and made to at once if this process is itself being ended."""
    try:
        _signal_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GOODBYE_SECONDS)
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
