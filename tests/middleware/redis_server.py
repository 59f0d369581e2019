"""A Redis of one's own, on a free port, for as long as a test takes."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ailb.secret import Secret


class Server:
    def __init__(self, binary: str) -> None:
        self._binary = binary
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> Secret:
        return Secret(f"redis://127.0.0.1:{self.port}/0")

    def start(self) -> None:
        command = [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/tmp"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                if self.say("PING") == b"+PONG\r\n":
                    return
            except OSError:
                time.sleep(0.01)  # a new process cannot say when it listens
        raise TimeoutError("redis-server did not start")

    def say(self, command: str) -> bytes:
        """What it answers to an inline command."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(command.encode() + b"\r\n")
            return connection.recv(65536)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()  # also one that is stopped by SIGSTOP
            self._process.wait()
            self._process = None


@contextmanager
def serving() -> Iterator[Server]:
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    server = Server(binary)
    try:
        yield server
    finally:
        server.stop()
