"""`python -m benchmarks.soak`: whether anything stays behind of very many requests. Ends with an error where something does."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from benchmarks import procfs
from benchmarks.children import BenchmarkError, leave_when_told
from benchmarks.contenders import ENGINES, Engine
from benchmarks.pages import PAGE
from benchmarks.server import Ground, Server, serving
from benchmarks.soak_document import write
from benchmarks.soak_gateway import SOAKED, complaints, held, settled
from benchmarks.soak_loads import SOAKS, Soak
from benchmarks.soak_report import MORE, Result, Sample, memory
from benchmarks.terminal import COLOURS, MARKS
from benchmarks.upstream import upstream

QUICK = 20
"""The part of the requests that a quick run makes: a twentieth, in a minute or two."""

SAMPLES = 200


def main(arguments: Sequence[str] | None = None) -> int:
    leave_when_told()
    told = parser().parse_args(arguments)
    console = Console()
    results = []
    try:
        with _bar(console) as bar, _ground() as ground:
            for engine in told.engine or ENGINES:
                for soak in SOAKS:
                    if told.only in (None, soak.key):
                        results.append(run(soak, engine, ground, bar, part=told.part))
                        bar.console.print(table(results[-1]))
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if told.write:
        write(results)
    return 0 if all(result.passed for result in results) else 1


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    made.add_argument("--quick", dest="part", action="store_const", const=QUICK, default=1, help=f"the same as --part {QUICK}")
    made.add_argument("--part", type=int, help="ask only the so-manieth part of the requests; slopes are not judged then")
    made.add_argument("--write", action="store_true", help=f"write the section of docs/{PAGE.name}")
    made.add_argument("--only", choices=[soak.key for soak in SOAKS], help="one of the soaks")
    made.add_argument("--engine", choices=ENGINES, action="append", help="on this server; on both, if left out")
    return made


def run(soak: Soak, engine: Engine, ground: Ground, bar: Progress, *, part: int = 1) -> Result:
    """On a gateway of its own, which has served some of each kind already when its memory is looked at first."""
    requests = soak.requests // part
    line = bar.add_task("", total=requests, what=f"{engine}: {soak.label}", size="")
    with serving(SOAKED, engine, ground) as server:
        before = held(server)
        soak.drive(server, ground, requests // 100, lambda done: None)
        noted = _Notes(server, requests)

        def watch(done: int) -> None:
            noted.note(done)
            bar.update(line, completed=done, size=f"{noted.samples[-1].resident / 1e6:.0f} MB")

        began = time.monotonic()
        wrong = soak.drive(server, ground, requests, watch)
        took = time.monotonic() - began
        after = settled(server, before, MORE)
        noted.complaints += complaints(server.log)
    bar.remove_task(line)
    return Result(soak, engine, requests, took, noted.samples, before, after, wrong, noted.complaints, short=part > 1)


class _Notes:
    """The gateway's memory while it is under load, some two hundred times, and what it complained about until then."""

    def __init__(self, server: Server, requests: int) -> None:
        self.samples: list[Sample] = []
        self.complaints = 0
        self._server = server
        self._every = requests / SAMPLES

    def note(self, done: int) -> None:
        if not self.samples or done >= self.samples[-1].requests + self._every:
            self.samples.append(Sample(done, procfs.resident_bytes(self._server.process.pid)))
            self.complaints += complaints(self._server.log)


def table(result: Result) -> Table:
    rate = result.requests / result.seconds
    made = Table(title=f"{result.engine}: {result.requests:,} {result.soak.label} ({rate:,.0f} a second)", title_justify="left")
    made.add_column("", no_wrap=True)
    for name in ("seen", "may be"):
        made.add_column(name, justify="right")
    made.add_column("")
    for figure in result.figures():
        made.add_row(figure.label, figure.value, figure.bar, Text(MARKS[figure.passed], style=COLOURS[figure.passed]))
    made.caption = memory(result.samples)
    return made


@contextmanager
def _ground() -> Iterator[Ground]:
    """No core for anybody alone: what is measured here is not time."""
    with tempfile.TemporaryDirectory(prefix="ailb-soak-") as name, upstream(Path(name), None) as provider:
        yield Ground(provider.url, Path(name), None, None)


@contextmanager
def _bar(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.fields[what]}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[size]}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as shown:
        yield shown


if __name__ == "__main__":
    sys.exit(main())
