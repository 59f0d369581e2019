"""`python -m benchmarks.failover`: a good, a slow, a flaky and a dead provider behind one name, under a steady load.

What must come out: no client sees an error that has not yet had a byte; with `latency_optimized` the 99th percentile stays near that of the
good provider alone; and who kills and restores providers one after the other changes nothing of that, except while the good one is gone.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

import aiohttp
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.children import ROOT, BenchmarkError, Process, child, free_port, leave_when_told
from benchmarks.contenders import table
from benchmarks.failover_upstream import KINDS
from benchmarks.stats import quantile
from benchmarks.upstream import request_body

MODEL: Final = "m"
BAR: Final = 1.3
STRATEGIES: Final = ("latency_optimized", "load_balanced", "failover")
START_SECONDS: Final = 20.0
OPEN_SECONDS: Final = 1.0


@dataclass(slots=True)
class Seen:
    """What clients got. `cut` are streams that ended with an error after they had begun; `errors` everything else that is no answer."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    cut: int = 0

    @property
    def p50(self) -> float:
        return quantile(self.seconds, 0.5)

    @property
    def p99(self) -> float:
        return quantile(self.seconds, 0.99)


@dataclass(slots=True)
class Street:
    """The providers' processes, which may be killed and started again on their ports. Who is `gone` cannot be had."""

    folder: Path
    ports: dict[str, int]
    open: dict[str, ExitStack] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def start(self, kind: str) -> None:
        stack = self.open[kind] = ExitStack()
        command = [sys.executable, "-m", "benchmarks.failover_upstream", str(self.ports[kind]), kind]
        stack.enter_context(child(command, self.folder, self.folder / f"{kind}.log"))

    def kill(self, kind: str) -> None:
        self.open.pop(kind).close()

    def close(self) -> None:
        while self.open:
            self.kill(next(iter(self.open)))


@contextmanager
def street(folder: Path) -> Iterator[Street]:
    """A provider of each kind that runs; on the port of the dead one nobody listens."""
    made = Street(folder, {kind: free_port() for kind in (*KINDS, "dead")})
    try:
        for kind in KINDS:
            made.start(kind)
        yield made
    finally:
        made.close()


@contextmanager
def gateway(made: Street, strategy: str, kinds: Sequence[str]) -> Iterator[int]:
    """AILB before those kinds; its port."""
    port = free_port()
    parts = [table("[server]", host="127.0.0.1", port=port, engine="uvicorn"), table("[log]", level="error"), '[[layer]]\nuse = "access"\n']
    parts.append(table("[[layer]]", use="routing", strategy=strategy, open_seconds=OPEN_SECONDS))
    for kind in kinds:
        url = f"http://127.0.0.1:{made.ports[kind]}/v1"
        parts.append(table("[[provider]]", name=kind, kind="openai", base_url=url, api_key="sk-bench", models=[MODEL], local=True))
    config = made.folder / f"{strategy}-{port}.toml"
    config.write_text("\n".join(parts))
    log = made.folder / f"{strategy}-{port}.log"
    with child([sys.executable, "-m", "ailb", "serve", "--config", str(config)], made.folder, log) as process:
        asyncio.run(_until_it_answers(port, process))
        yield port


async def _until_it_answers(port: int, process: Process) -> None:
    until = monotonic() + START_SECONDS
    async with aiohttp.ClientSession() as session:
        while monotonic() < until and process.poll() is None:
            seen = Seen()
            await ask(session, port, stream=False, seen=seen)
            if not seen.errors:
                return
            await asyncio.sleep(0.05)
    raise BenchmarkError("the gateway does not answer")


async def load(
    port: int, rate: float, seconds: float, made: Street | None = None, tick: "Tick | None" = None, without: Seen | None = None
) -> Seen:
    """Requests at a steady rate, every other one streamed, whatever becomes of those before. With a street, each provider that runs is
    killed for a while and started again, one after the other; what clients got of the requests made without the good one is in `without`.
    """
    seen, began = Seen(), monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:
        if made is not None:
            group.create_task(_trouble(made, seconds))
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - monotonic()))
            into = without if without is not None and made is not None and "good" in made.gone else seen
            group.create_task(ask(session, port, stream=number % 2 == 1, seen=into))
            if tick is not None:
                tick.advance()
    return seen


async def ask(session: aiohttp.ClientSession, port: int, *, stream: bool, seen: Seen) -> None:
    began = monotonic()
    got = b""
    try:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        headers = {"content-type": "application/json"}
        async with session.post(url, data=request_body(MODEL, stream), headers=headers) as response:
            async for part in response.content.iter_any():
                got += part
            if response.status != 200:
                seen.errors.append(f"{response.status}: {got[:300].decode(errors='replace')}")
            elif stream and not got.endswith(b"data: [DONE]\n\n"):
                seen.cut += 1
            else:
                seen.seconds.append(monotonic() - began)
    except (aiohttp.ClientError, OSError) as lost:
        seen.errors.append(type(lost).__name__)


async def _trouble(made: Street, seconds: float) -> None:
    """One after the other; the next one when the last has its traffic back: otherwise there would be nobody left who is well.

    One is gone until its circuit lets somebody through again.
    """
    for kind in KINDS:
        await asyncio.sleep(OPEN_SECONDS)
        made.gone.add(kind)
        await asyncio.to_thread(made.kill, kind)
        await asyncio.sleep(seconds / len(KINDS) - 4 * OPEN_SECONDS)
        made.start(kind)
        while not await _listens(made.ports[kind]):
            await asyncio.sleep(0.02)
        await asyncio.sleep(OPEN_SECONDS)
        made.gone.remove(kind)
        await asyncio.sleep(OPEN_SECONDS)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class Tick:
    """A progress bar's."""

    def __init__(self, progress: Progress, name: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=total)

    def advance(self) -> None:
        self._progress.advance(self._task)


def main(arguments: list[str] | None = None) -> int:
    told = parser().parse_args(arguments)
    leave_when_told()
    rate, seconds = (60.0, 18.0) if told.quick else (200.0, 60.0)
    scenes: list[tuple[str, str, tuple[str, ...], bool]] = [("the good one alone", "failover", ("good",), False)]
    scenes += [(f"all four, {strategy}", strategy, (*KINDS, "dead"), False) for strategy in STRATEGIES]
    scenes += [("each killed and restored, latency_optimized", "latency_optimized", (*KINDS, "dead"), True)]
    console, found = Console(), []
    with tempfile.TemporaryDirectory() as folder, street(Path(folder)) as made, Progress(console=console, transient=True) as progress:
        for name, strategy, kinds, trouble in scenes:
            with gateway(made, strategy, kinds) as port:
                tick = Tick(progress, name, int(rate * seconds))
                without = Seen()
                found.append((name, asyncio.run(load(port, rate, seconds, made if trouble else None, tick, without))))
                if trouble:
                    found.append(("the same, while the good one is gone", without))
    shown, missed = rows(found)
    made_table = Table("", "answers", "errors", "streams cut", "p50 ms", "p99 ms", "p99, to the good one's")
    for row in shown:
        made_table.add_row(*row)
    console.print(made_table)
    for name, seen in found:
        for error in sorted(set(seen.errors))[:5]:
            console.print(f"{name}: {error}")
    if told.write:
        _write(shown, rate, seconds)
    return 1 if missed else 0


def rows(found: Sequence[tuple[str, Seen]]) -> tuple[list[list[str]], bool]:
    """And whether something is as it must not be."""
    alone = found[0][1]
    shown, missed = [], False
    for name, seen in found:
        ratio = seen.p99 / alone.p99
        must = name.endswith("latency_optimized") and "killed" not in name
        bad = bool(seen.errors) or (must and ratio > BAR)
        missed = missed or bad
        told = [
            str(len(seen.seconds)),
            str(len(seen.errors)),
            str(seen.cut),
            f"{seen.p50 * 1000:.0f}",
            f"{seen.p99 * 1000:.0f}",
            f"{ratio:.2f}",
        ]
        shown.append([name, *told[:-1], told[-1] + (f" (bar {BAR}: {'missed' if ratio > BAR else 'met'})" if must else "")])
    return shown, missed


PAGE, START, END = ROOT / "docs" / "routing.md", "<!-- failover -->\n", "<!-- end of failover -->\n"


def _write(shown: Sequence[Sequence[str]], rate: float, seconds: float) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    head = "| | answers | errors | streams cut | p50, ms | p99, ms | p99, to the good one's |\n|---|---:|---:|---:|---:|---:|---:|\n"
    lines = "".join(f"| {' | '.join(row)} |\n" for row in shown)
    told = f"\n{rate:g} requests a second for {seconds:g} s, every other one a stream, on one machine with all the providers.\n"
    PAGE.write_text(before + START + head + lines + told + END + after, encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.failover", description=__doc__)
    made.add_argument("--quick", action="store_true", help="less load, for a sixth of the time")
    made.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    return made


if __name__ == "__main__":
    sys.exit(main())
