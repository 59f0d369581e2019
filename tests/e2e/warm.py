"""Gateways forked from a process that has imported everything: that takes a new one longer than most of the tests.

One such process serves a whole run of pytest. All else about its children is as if they had been started by `python -m ailb`: they have
arguments, an environment and an output of their own, and come to their end by themselves.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from functools import cache
from importlib import import_module

from ailb import prices_listed
from ailb.__main__ import main

MODULES = (
    *("ailb.server", "ailb.admin.routes", "ailb.library", "ailb.store.audit", "ailb.store.store", "providers.transport"),
    *(f"middleware.{name}" for name in ("access", "auth", "budget", "idempotency", "memory", "rag", "ratelimit", "records", "routing")),
    *("aiosqlite", "alembic.command", "asyncpg", "hypercorn.asyncio", "uvicorn.protocols.http.httptools_impl", "uvloop"),
)


class Process:
    """What `subprocess.Popen` would be for `python -m ailb WORDS`, with all that it prints in `stdout`."""

    def __init__(self, *words: str) -> None:
        output, out = os.pipe()
        self._told, tell = os.pipe()
        said = json.dumps([words, environment(), os.getcwd()]).encode()
        socket.send_fds(_warm(), [said], [out, tell])
        os.close(out)
        os.close(tell)
        self.stdout = open(output, errors="replace")  # noqa: SIM115 - whoever reads it closes it
        self.pid = self._number()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        if (code := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, seconds: float | None) -> int | None:
        if self.returncode is not None:
            return self.returncode
        told = select.poll()  # `select` knows none of the descriptors from 1,024 on
        told.register(self._told, select.POLLIN)
        if told.poll(None if seconds is None else seconds * 1000):
            self.returncode = self._number()
            os.close(self._told)
        return self.returncode

    def _number(self) -> int:
        told = os.read(self._told, 8)
        assert told, "the process that gateways are forked from has come to its end"
        return int.from_bytes(told, "little", signed=True)


def environment() -> dict[str, str]:
    """Without what would take a gateway to another address than its file says."""
    return {name: value for name, value in os.environ.items() if name not in ("HOST", "HTTP_PORT")}


def ran(*words: str, seconds: float = 50) -> tuple[int, str]:
    """The exit status of `ailb WORDS`, and all that it printed."""
    process = Process(*words)
    with process.stdout as stdout:
        printed = stdout.read()
    return process.wait(seconds), printed


@cache
def _warm() -> socket.socket:
    """What to ask the process by. It ends when this is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.e2e.warm", str(theirs.fileno())]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    atexit.register(process.wait)
    atexit.register(ours.close)  # the last that is registered is the first that is done
    return ours


def _forked(asked: socket.socket) -> list[str]:
    """Comes back in each gateway, with its arguments. Between it and this process is a keeper, who tells what became of it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        said, descriptors, _, _ = socket.recv_fds(asked, 1 << 18, 2)
        if not said:
            sys.exit()
        out, tell = descriptors
        if os.fork() == 0:
            asked.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if (pid := os.fork()) == 0:
                os.close(tell)
                words, environ, folder = json.loads(said)
                return _become(words, environ, folder, out)
            _keep(pid, out, tell)
        os.close(out)
        os.close(tell)


def _become(words: list[str], environ: dict[str, str], folder: str, out: int) -> list[str]:
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    return words


def _keep(pid: int, out: int, tell: int) -> None:
    os.close(out)
    os.write(tell, pid.to_bytes(8, "little"))
    _, status = os.waitpid(pid, 0)
    os.write(tell, os.waitstatus_to_exitcode(status).to_bytes(8, "little", signed=True))
    os._exit(0)


if __name__ == "__main__":
    for module in MODULES:
        import_module(module)
    prices_listed.load()
    gc.collect()
    gc.freeze()  # so that a look for cycles in a child copies no page of what it has in common with the others
    sys.exit(main(_forked(socket.socket(fileno=int(sys.argv[1])))))
