"""The report on a terminal, and a bar that moves until it is there."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from benchmarks.contenders import Engine
from benchmarks.report import Row, amount, headroom, rows, times
from benchmarks.stats import Book

QUIET = 0.5
"""The load average above which somebody else works on this machine, too."""

MARKS = {True: "✔", False: "✘", None: ""}
COLOURS = {True: "green", False: "red", None: ""}


@contextmanager
def progress(console: Console, steps: int) -> Iterator[Callable[[str], None]]:
    """A function to call with the name of each step when it begins."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("starting", total=steps, completed=-1)

        def step(text: str) -> None:
            shown.update(task, description=text, advance=1)

        yield step


def warn_if_busy(console: Console) -> None:
    load = os.getloadavg()[0]
    if load > QUIET:
        console.print(
            f"This machine is busy (load average {load:.1f}): trust the ratios less, and the latencies not at all.", style="yellow"
        )


def show(console: Console, book: Book, engines: Sequence[Engine]) -> None:
    for engine in engines:
        console.print(table(engine, list(rows(book, engine))))
    if (spare := headroom(book)) is not None:
        console.print(
            f"The upstream and the load generator alone answer at least {spare:.1f} times as many requests as the fastest of these."
        )


def table(engine: Engine, lines: list[Row]) -> Table:
    made = Table(title=f"{engine}: medians of the rounds, and the lowest and highest ratio")
    made.add_column("", no_wrap=True)
    for name in ("floor", "AILB", "AILB / floor", "bar"):
        made.add_column(name, justify="right")
    made.add_column("")
    for row in lines:
        unit = row.measure.unit
        cells = [row.measure.label, amount(row.floor, unit), amount(row.ailb, unit), times(row.ratio), row.measure.bar_text]
        made.add_row(*cells, Text(row.mark, style=COLOURS[row.passed]))
    return made
