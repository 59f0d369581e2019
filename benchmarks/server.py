"""A contender that runs: started, asked until it answers, checked, and ended."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks import procfs
from benchmarks.children import BenchmarkError, Process, child, free_port, tail
from benchmarks.contenders import Contender, Engine, Site
from benchmarks.upstream import EVENTS, chat_answer, request_body, stream_events

PATH = "/v1/chat/completions"
KEY = "sk-bench"
HEADERS = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
ASK_AGAIN_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Ground:
    """Where contenders run: the upstream, a folder, and the cores for the server and for what loads it."""

    upstream: str
    folder: Path
    core: int | None
    load_core: int | None


@dataclass(frozen=True, slots=True)
class Server:
    """A contender, how long it took to its first answer, and its memory at that moment."""

    contender: Contender
    process: Process
    port: int
    log: Path
    first_answer: float
    idle_bytes: int
    key: str = KEY

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"


@contextmanager
def serving(contender: Contender, engine: Engine, ground: Ground, options: Sequence[str] = ()) -> Iterator[Server]:
    """The contender, ended with the block. `options` are for the interpreter."""
    port = free_port()
    log = ground.folder / f"{contender.name}-{engine}-{port}.log"
    site = Site(engine, port, ground.upstream, ground.folder)
    began = time.monotonic()
    command = [contender.python, *options, *contender.arguments(site)]
    with child(command, ground.folder, log, ground.core, environ=dict(contender.environ)) as process:
        _until_it_answers(process, port, log, contender.start_seconds)
        answered = time.monotonic() - began
        server = Server(contender, process, port, log, answered, procfs.resident_bytes(process.pid))
        _check(server)
        yield server


def ask(port: int, body: bytes) -> tuple[int, bytes]:
    """Status and body of one answer, on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", PATH, body, HEADERS)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _until_it_answers(process: Process, port: int, log: Path, seconds: float) -> None:
    body = request_body("chat", stream=False)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            status, content = ask(port, body)
        except (OSError, HTTPException):
            time.sleep(ASK_AGAIN_SECONDS)
            continue
        if status == 200:
            return
        raise BenchmarkError(f"{log.stem} answers {status} {content[:500]!r}\n{tail(log)}")
    raise BenchmarkError(f"no answer from {log.stem} (exit code {process.poll()})\n{tail(log)}")


def _check(server: Server) -> None:
    """A contender that loses part of an answer is not measured."""
    _, whole = ask(server.port, request_body("chat", stream=False))
    status, stream = ask(server.port, request_body("burst", stream=True))
    if status != 200 or text_of(stream) != text_of(b"".join(stream_events())):
        raise BenchmarkError(f"{server.contender.name} lost text of a stream: {stream[-300:]!r}")
    said, expected = json.loads(whole)["choices"], json.loads(chat_answer())["choices"]
    if said[0]["message"]["content"] != expected[0]["message"]["content"]:
        raise BenchmarkError(f"{server.contender.name} changed the answer: {whole[:300]!r}")
    if server.contender.faithful:
        events = sum(line.startswith(b"data:") for line in stream.splitlines())
        if said != expected or events != EVENTS:
            raise BenchmarkError(f"{server.contender.name} changed {whole[:300]!r}, or relayed {events} of {EVENTS} events")


def text_of(stream: bytes) -> str:
    """What the events of a stream of chat chunks say."""
    events = [line[5:] for line in stream.splitlines() if line.startswith(b"data:") and b"[DONE]" not in line]
    choices = [choice for event in events for choice in json.loads(event)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
