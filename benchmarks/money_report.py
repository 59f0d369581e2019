"""What money came to: CPU time, latency and throughput beside the same gateway without it, and beside the floor."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.table import Table
from rich.text import Text

from benchmarks.contenders import ENGINES, Engine
from benchmarks.document import machine
from benchmarks.stats import Book, Spread, ratios, spread
from benchmarks.terminal import COLOURS, MARKS

FLOORS: Final = 1.0
"""The most that money may add, in requests of the floor on uvicorn: 150 µs where that takes 150. Microseconds differ from machine to
machine, and from day to day."""

LATER: Final = 3.0
"""The most that it may add to the middle latency of 64 connections, in milliseconds."""

RATE: Final = 1000.0
"""Requests a second of one process on uvicorn, at the least."""

LABELS: Final = {"chat_1": "chat × 1", "chat_64": "chat × 64", "chat_64_128": "chat × 64, calm"}
FULL, CALM = "chat_64", "chat_64_128"
HEADS: Final = ("floor, µs", "without, µs", "with, µs", "more, floors", "p50 more, ms", "requests a second")

TEXT = """\
| | {heads} |
|---|---:|---:|---:|---:|---:|---:|
{table}

CPU time of a request; the median of {rounds} rounds, in brackets the lowest and the highest. Bars: {bars}.
Calm is some 500 requests a second, which saturates nobody: only there latencies can be compared. Measured on {machine}.
"""
BARS: Final = f"{FLOORS:g} floor of uvicorn more at most; where it is calm, {LATER:g} ms more at most; on uvicorn {RATE:,.0f} a second"


@dataclass(frozen=True, slots=True)
class Line:
    """One workload on one engine, with whether it is where its bar wants it; None without a bar, or a figure."""

    label: str
    costs: tuple[Spread | None, ...]
    more: Spread | None
    later: Spread | None
    rate: Spread | None
    passed: bool | None

    def cells(self) -> list[str]:
        return [*(_cell(cost) for cost in self.costs), _cell(self.more, 2), _cell(self.later, 2), _cell(self.rate)]


def lines(book: Book) -> Iterator[Line]:
    for engine in ENGINES:
        for key, label in LABELS.items():
            yield _line(book, engine, key, label)


def table(book: Book) -> Table:
    made = Table("", *HEADS, "", title=f"Bars: {BARS}")
    for line in lines(book):
        made.add_row(line.label, *line.cells(), Text(MARKS[line.passed], style=COLOURS[line.passed]))
    return made


def document(book: Book, rounds: int) -> str:
    rows = "\n".join(f"| {line.label} {MARKS[line.passed]} | {' | '.join(line.cells())} |" for line in lines(book))
    return TEXT.format(heads=" | ".join(HEADS), table=rows, rounds=rounds, bars=BARS, machine=machine())


def _line(book: Book, engine: Engine, key: str, label: str) -> Line:
    floor, plain, money = (book.values(engine, name, f"{key}_cpu") for name in ("floor", "ailb", "money"))
    added = [many - few for many, few in zip(money, plain, strict=True)]
    more = spread(ratios(added, book.values("uvicorn", "floor", f"{FULL}_cpu"))) if added else None
    slow, slower = book.values(engine, "ailb", f"{key}_p50"), book.values(engine, "money", f"{key}_p50")
    later = spread([(many - few) * 1e3 for many, few in zip(slower, slow, strict=True)])
    rate = spread(book.values(engine, "money", f"{key}_rate"))
    costs = tuple(spread([cost * 1e6 for cost in costs]) for costs in (floor, plain, money))
    return Line(f"{label}, {engine}", costs, more, later, rate, _passed(engine, key, more, later, rate))


def _passed(engine: Engine, key: str, more: Spread | None, later: Spread | None, rate: Spread | None) -> bool | None:
    if key == CALM and later is not None:
        return later.middle <= LATER
    if key == FULL and more is not None and rate is not None:
        return more.middle <= FLOORS and (engine != "uvicorn" or rate.middle >= RATE)
    return None


def _cell(found: Spread | None, digits: int = 0) -> str:
    if found is None:
        return "–"
    return f"{found.middle:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"
