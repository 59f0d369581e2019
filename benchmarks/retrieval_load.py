"""`python -m benchmarks.retrieval_load`: what documents cost a gateway that has 20,000 passages in one collection.

A gateway as a process of its own, on uvicorn, with the echo provider; all passages but some come with vectors that were made before.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ailb.commands.rag_gateway import COLLECTIONS, Gateway
from ailb.ingest.parser import IDLE_SECONDS as IDLE_READER
from benchmarks import heartbeat, procfs, retrieval_texts
from benchmarks.children import ROOT, BenchmarkError, Process, child, free_port, leave_when_told, tail
from benchmarks.contenders import table as toml
from benchmarks.retrieval_run import Remembering
from benchmarks.retrieval_sets import Question, folder, own, xquad
from benchmarks.stats import quantile

PAGE, START, END = ROOT / "docs" / "rag.md", "<!-- load -->\n", "<!-- end of load -->\n"
PASSAGES, EMBEDDED, PAIRS = 20_000, 400, 1000
BATCH = 128
WARM = 20
IDLE_SECONDS = 5.0
NAME = "load"
SEED = 20_240_229
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Late:
    """The event loop, in milliseconds. `own`: the most in which the process was at work itself, and not waiting for a processor."""

    p99: float
    most: float
    own: float

    def __str__(self) -> str:
        return f"{self.p99:.1f} / {self.most:.1f} / {self.own:.1f}"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that are resident: of the gateway's process, of `all` together as the sum of theirs, and the same with each page that several
    have counted `once`.
    """

    gateway: int
    all: int
    once: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Milliseconds of latency, passages a second (`rate`: embedded), and bytes: `busy` with the vector store and the reader, right after
    a document, and `rested` when the reader has ended.
    """

    plain: Sequence[float]
    rag: Sequence[float]
    idle: Late
    serving: Late
    ingesting: Late
    filling: Late
    rate: float
    fill_rate: float
    busy: Memory
    rested: Memory


def main(arguments: list[str] | None = None) -> int:
    told = parser().parse_args(arguments)
    leave_when_told()
    console = Console()
    share = 20 if told.quick else 1
    try:
        figures = measured(PASSAGES // share, EMBEDDED // share, PAIRS // share, console)
    except BenchmarkError as problem:
        console.print(str(problem))
        return 1
    shown = Table("", "measured", "bar", "")
    for row in rows(figures):
        shown.add_row(*row)
    console.print(shown)
    if told.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), rows(figures)), encoding="utf-8")
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.retrieval_load", description=__doc__)
    made.add_argument("--quick", action="store_true", help="a twentieth of everything")
    made.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    return made


def measured(passages: int, embedded: int, pairs: int, console: Console) -> Figures:
    """Raises BenchmarkError."""
    sets = [own(), xquad(folder(), "en")]
    pool = retrieval_texts.sentences(sets)
    dice = Random(SEED)
    with TemporaryDirectory() as made, Progress(console=console, transient=True) as progress:
        vectors = asyncio.run(_vectors(pool, progress))
        _start_before(Path(made), pool)
        with gateway(Path(made)) as (port, process):
            client = Gateway(f"127.0.0.1:{port}")
            embedder = client.ask("POST", COLLECTIONS, {"name": NAME})["embedder"]
            late(port)
            time.sleep(IDLE_SECONDS)
            idle = late(port)
            rate = ingested(client, retrieval_texts.documents(pool, 10, dice), embedded, progress)
            ingesting = late(port)
            fill_rate = filled(client, embedder, retrieval_texts.chunks(pool, vectors, passages - embedded, dice), progress)
            filling = late(port)
            asked(port, sets[1].questions[-WARM:], progress)  # what is loaded with the first request does not count
            late(port)
            plain, rag = asked(port, sets[1].questions[:pairs], progress)
            serving = late(port)
            _taken(client, "last", next(retrieval_texts.documents(pool, 10, dice)))
            busy = resident(process)
            _await_reader(process)
            rested = resident(process)
    return Figures(plain, rag, idle, serving, ingesting, filling, rate, fill_rate, busy, rested)


def _start_before(folder: Path, pool: Sequence[str]) -> None:
    """So that the database is there, and all modules are compiled, as those of an installed package: what is left of that takes 25 MB."""
    with gateway(folder) as (port, _):
        client = Gateway(f"127.0.0.1:{port}")
        client.ask("POST", COLLECTIONS, {"name": "before"})
        client.ask("POST", f"{COLLECTIONS}/before/documents", {"documents": [{"id": "1", "text": pool[0]}]})


def _await_reader(process: Process) -> None:
    """Until it has ended, as it does when no document comes: the gateway and the vector store are left."""
    deadline = time.monotonic() + IDLE_READER + 10
    while len(procfs.tree(process.pid)) > 2:
        if time.monotonic() > deadline:
            raise BenchmarkError("the reader does not end")
        time.sleep(0.1)


async def _vectors(pool: Sequence[str], progress: Progress) -> list[Any]:
    import numpy

    embedder = Remembering()
    task = progress.add_task("embedding sentences", total=len(pool))
    found = []
    for each in pool:
        found.append(numpy.array((await embedder.embed([each]))[0]))
        progress.advance(task)
    return found


def config(folder: Path, port: int) -> str:
    watched = f"{heartbeat.__name__}:{heartbeat.Heartbeat.__name__}"
    return "\n".join(
        (
            toml("[server]", host="127.0.0.1", port=port, engine="uvicorn", middleware=[watched]),
            toml("[store]", url=f"sqlite+aiosqlite:///{folder}/ailb.db"),
            toml("[embed]", preload=True),
            toml("[vectors]", url=f"{folder}/chroma"),
            toml("[log]", level="warning"),
            *(toml("[[layer]]", use=name) for name in ("access", "records", "auth", "budget", "rag", "routing")),
            toml("[[provider]]", name="echo"),
        )
    )


@contextmanager
def gateway(folder: Path) -> Iterator[tuple[int, Process]]:
    """Started, ready, and ended with the block."""
    port = free_port()
    file, log = folder / "config.toml", folder / "gateway.log"
    file.write_text(config(folder, port))
    with child([sys.executable, "-m", "ailb", "serve", "--config", str(file)], folder, log) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                page(port, "/healthz")
            except (OSError, HTTPException):
                time.sleep(0.05)
            else:
                yield port, process
                return
        raise BenchmarkError(f"the gateway did not start:\n{tail(log)}")


def page(port: int, path: str) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def late(port: int) -> Late:
    """Since it was asked before; the first time it says nothing yet."""
    beats: list[list[float]] = json.loads(page(port, heartbeat.PATH)) or [[0.0, 0.0]]
    late = [max(late, 0.0) for late, _ in beats]
    return Late(quantile(late, 0.99), max(late), max(min(beat) for beat in beats))


def ingested(client: Gateway, texts: Iterator[str], passages: int, progress: Progress) -> float:
    """Passages a second, from a text to what is found. The model is loaded with the first one, which does not count."""
    task = progress.add_task("taking documents in", total=passages)
    _taken(client, "first", next(texts))
    began, done = time.monotonic(), 0
    while done < passages:
        done += _taken(client, f"taken-{done}", next(texts))
        progress.update(task, completed=done)
    return done / (time.monotonic() - began)


def _taken(client: Gateway, id: str, text: str) -> int:
    answer = client.ask("POST", f"{COLLECTIONS}/{NAME}/documents", {"documents": [{"id": id, "text": text}]})
    return int(answer["documents"][0]["chunks"])


def filled(client: Gateway, embedder: str, chunks: Iterator[dict[str, Any]], progress: Progress) -> float:
    """Passages a second, with their vectors, one document."""
    task = progress.add_task("filling", total=None)
    began, first = time.monotonic(), 0
    said = {"hash": sha256(b"").hexdigest(), "embedder": embedder}
    some = list(_some(chunks))
    while some:
        following = list(_some(chunks))
        body = {**said, "chunks": some, "first": first, "last": not following}
        client.ask("PUT", f"{COLLECTIONS}/{NAME}/documents/filled/chunks", body)
        first += len(some)
        some = following
        progress.update(task, completed=first)
    return first / (time.monotonic() - began)


def _some(chunks: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for _, chunk in zip(range(BATCH), chunks, strict=False):
        yield chunk


def asked(port: int, questions: Sequence[Question], progress: Progress) -> tuple[list[float], list[float]]:
    """Milliseconds of the same questions without and with documents, in turn. Each is asked once, so that nothing is remembered."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    plain: list[float] = []
    rag: list[float] = []
    for question in progress.track(questions, description="asking"):
        plain.append(_asked(connection, question.text, {}))
        rag.append(_asked(connection, question.text, {"rag_collection": NAME}))
    connection.close()
    return plain, rag


def _asked(connection: HTTPConnection, question: str, more: dict[str, str]) -> float:
    body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": question}], **more})
    began = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    took = time.perf_counter() - began
    if response.status != 200 or (more and (response.headers["x-ailb-rag-sources"] != "3" or response.headers["x-ailb-rag"])):
        raise BenchmarkError(f"answers {response.status} {dict(response.headers)} {content[:300]!r}")
    return took * 1000


def resident(process: Process) -> Memory:
    whole = procfs.resident_bytes(process.pid)
    others = sum(procfs.resident_bytes(pid) for pid in procfs.tree(process.pid)[1:])
    return Memory(whole - others, whole, procfs.shared_bytes(process.pid))


def rows(found: Figures) -> list[list[str]]:
    """What, how much, the bar, and whether it was met."""
    plain, rag, busy, rested = found.plain, found.rag, found.busy, found.rested
    added = [quantile(rag, share) - quantile(plain, share) for share in (0.5, 0.99)]
    alone = f"{quantile(plain, 0.5):.1f}, {quantile(plain, 0.99):.1f}"
    return [
        _row("added latency, p50", added[0], "≤ 12 ms", added[0] <= 12),
        _row("added latency, p99", added[1], "≤ 30 ms", added[1] <= 30),
        ["latency without documents, p50 and p99", f"{alone} ms", "", ""],
        ["event loop late while nothing happens: p99 / most / most by its own work", f"{found.idle} ms", "", ""],
        _late("event loop late while serving", found.serving, 10),
        _late("event loop late while documents come in", found.ingesting, 35),
        _late("event loop late while vectors come in, as fast as they can", found.filling, 35),
        ["memory after a document: the gateway's process", _megabytes(busy.gateway), "", ""],
        _row("the same, with the vector store and the reader", busy.all / MEGABYTE, "≤ 400 MB", busy.all <= 400 * MEGABYTE),
        ["the same, with each page that several of them have counted once", _megabytes(busy.once), "", ""],
        ["memory once the reader has ended, of both / with each page counted once", _megabytes(rested.all, rested.once), "", ""],
        _row("documents in, embedded", found.rate, "≥ 40 passages/s", found.rate >= 40),
        ["passages in, with vectors", f"{found.fill_rate:.0f} passages/s", "", ""],
    ]


def _row(what: str, value: float, bar: str, met: bool) -> list[str]:
    unit = bar.split(" ", 2)[2]
    return [what, f"{value:.1f} {unit}" if unit == "ms" else f"{value:.0f} {unit}", bar, "met" if met else "**missed**"]


def _late(what: str, late: Late, most: float) -> list[str]:
    return [what, f"{late} ms", f"≤ {most:g} ms by its own work", "met" if late.own <= most else "**missed**"]


def _megabytes(*all: int) -> str:
    return " / ".join(f"{each / MEGABYTE:.0f}" for each in all) + " MB"


def written(page: str, rows: Sequence[Sequence[str]]) -> str:
    """The page with the measured part put in its place. Raises ValueError where it has no such place."""
    lines = ["| | measured | bar | |", "|---|---:|---:|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return page[: page.index(START)] + START + "\n".join(lines) + "\n" + page[page.index(END) :]


if __name__ == "__main__":
    sys.exit(main())
