"""The gateway as a real process, with a config written for the test."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

from tests.e2e.raw import Answer, Client
from tests.e2e.warm import Process, environment
from tests.e2e.wire import asked

KEY = "sk-canary-provider-{}"
COMPLAINTS = re.compile(
    r"Traceback|Task was destroyed|never retrieved|never awaited|socket\.send\(\) raised|Exception in|Unclosed|sk-canary"
)

SERVER: dict[str, Any] = {
    "host": "127.0.0.1",
    "heartbeat_seconds": 0.5,
    "body_seconds": 2.0,
    "write_seconds": 2.0,
    "drain_seconds": 2.0,
    "max_body_bytes": 1_000_000,
}
PATIENT = {"connect": 10.0, "first_token": 15.0, "idle": 15.0, "total": 30.0}
HASTY = {"connect": 0.5, "first_token": 0.6, "idle": 0.6, "total": 2.0}
LAYERS = '[[layer]]\nuse = "access"\n[[layer]]\nuse = "routing"\nstrategy = "failover"\n'


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def table(values: Mapping[str, Any]) -> str:
    """The lines of a TOML table. JSON's scalars and lists are TOML's too."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def provider(name: str, url: str, models: list[str], timeouts: Mapping[str, float]) -> str:
    """A `[[provider]]` with a key that must never be seen."""
    inline = ", ".join(f"{key} = {value}" for key, value in timeouts.items())
    told = {
        "name": name,
        "kind": "openai",
        "base_url": url,
        "api_key": KEY.format(name),
        "models": models,
        "max_answer_bytes": 4_000_000,
        "local": True,
    }
    return f"[[provider]]\n{table(told)}timeouts = {{ {inline} }}\n"


def providers(upstream: int, own: int, dead: int, hole: int) -> str:
    """Each letter of a model's name is a kind of trouble: `m` has two good homes, `h` a hasty one, `d` a closed port, `n` a black hole
    (each with b behind it), `l` is the gateway itself. The arguments are ports."""
    local = "http://127.0.0.1"
    return (
        provider("a", f"{local}:{upstream}/a/v1", ["m-*"], PATIENT)
        + provider("hasty", f"{local}:{upstream}/hasty/v1", ["h-*"], HASTY)
        + provider("dead", f"{local}:{dead}/v1", ["d-*"], HASTY)
        + provider("hole", f"{local}:{hole}/v1", ["n-*"], HASTY)
        + provider("loop", f"{local}:{own}/v1", ["l-*"], HASTY)
        + provider("b", f"{local}:{upstream}/b/v1", ["m-*", "h-*", "d-*", "n-*"], PATIENT)
    )


def config(engine: str, port: int, rest: str, **server: Any) -> str:
    return f"[server]\n{table({**SERVER, 'engine': engine, 'port': port, **server})}{LAYERS}{rest}"


class Gateway:
    """`with Gateway(file, port)`: started and ready inside, stopped afterwards. One with an `env`, even an empty one, is started cold."""

    def __init__(self, file: Path, port: int, env: Mapping[str, str] | None = None) -> None:
        self.file = file
        self.port = port
        self.lines: list[str] = []
        self._checked = 0
        self.process: Process | subprocess.Popen[str] = Process("serve", "--config", str(file)) if env is None else _cold(file, env)
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        try:
            self.wait_until_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until_ready(self, seconds: float = 50) -> None:
        deadline = monotonic() + seconds
        while monotonic() < deadline and self.process.poll() is None:
            try:
                with self.client() as client:
                    if client.get("/healthz").answer().status == 200:
                        return
            except (OSError, EOFError):
                pass
            sleep(0.03)  # There is nothing to wait on until the port is open.
        raise AssertionError(f"not ready (exit code {self.process.poll()}):\n{self.output}")

    def client(self, **options: Any) -> Client:
        return Client(self.port, **options)

    def chat(self, model: str, *, stream: bool = False, headers: Mapping[str, str | None] | None = None, **more: Any) -> Answer:
        """One request on a connection of its own."""
        with self.client() as client:
            return client.post(asked(model, stream, **more), headers=headers).answer()

    def get(self, path: str, headers: Mapping[str, str | None] | None = None) -> Answer:
        with self.client() as client:
            return client.get(path, headers).answer()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self, seconds: float) -> int:
        """Waited for; raises subprocess.TimeoutExpired."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def stop(self, seconds: float = 10) -> int:
        """By SIGTERM, and by SIGKILL where that does not help: which is a failure."""
        self.signal(signal.SIGTERM)
        try:
            return self.exit_code(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still alive {seconds} s after SIGTERM:\n{self.output[-4000:]}") from None

    def kill(self) -> None:
        self.process.kill()
        self.exit_code(5)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        """The JSON lines of the log."""
        return [json.loads(line) for line in self.lines[since:] if line.startswith("{")]

    def line_with(self, text: str, seconds: float = 20, since: int = 0) -> str:
        """The first line with `text`, waited for."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            for line in self.lines[since:]:
                if text in line:
                    return line
            sleep(0.01)  # The collecting thread has no event to offer for a text.
        raise AssertionError(f"no line with {text!r} in:\n{self.output[-4000:]}")

    def entries(self, id: str, number: int, seconds: float = 20) -> list[dict[str, Any]]:
        """The log's entries of one request id, waited for until there are `number`; there must not be more."""
        deadline = monotonic() + seconds
        while len(found := [entry for entry in self.log() if entry.get("id") == id]) < number and monotonic() < deadline:
            sleep(0.01)  # As above.
        assert len(found) == number, f"{len(found)} entries for {id}"
        return found

    def check(self) -> None:
        """Fails where the output since the last check has a line that no healthy server writes, or a provider's key."""
        lines = self.lines[self._checked :]
        self._checked += len(lines)
        for number, line in enumerate(lines):
            if COMPLAINTS.search(line):
                text = "\n".join(lines[number : number + 25]).replace("\\n", "\n")
                raise AssertionError(f"the gateway complained:\n{text}")

    @property
    def rss(self) -> int:
        """Resident memory in bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    @property
    def peak(self) -> int:
        """The most resident memory that there ever was, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def _collect(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for line in stdout:
                self.lines.append(line.rstrip("\n"))


def _cold(file: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ailb", "serve", "--config", str(file)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment() | dict(env)
    )
