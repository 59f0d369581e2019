"""What came out, as rows: the floor, AILB, their ratio, the bar and whether it is met."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from benchmarks.contenders import CONTENDERS, ENGINES, Engine
from benchmarks.load import SATURATING
from benchmarks.stats import Book, Spread, ratios, spread

UNITS = {"ms": 1e3, "s": 1.0, "KB": 1e-3, "MB": 1e-6}


@dataclass(frozen=True, slots=True)
class Measure:
    """A line of the report. The bar is for the ratio to the floor, or for AILB's own value in the unit."""

    label: str
    key: str
    unit: Literal["ms", "s", "KB", "MB"]
    bar: float | None = None
    bar_for: Literal["ratio", "value"] = "ratio"

    @property
    def bar_text(self) -> str:
        if self.bar is None:
            return ""
        return f"≤ {self.bar:g}{'×' if self.bar_for == 'ratio' else f' {self.unit}'}"


MEASURES = (
    Measure("CPU, chat × 64", "chat_64_cpu", "ms", bar=1.5),
    Measure("CPU, chat × 1", "chat_1_cpu", "ms", bar=1.5),
    Measure("CPU, paced stream × 64", "paced_64_cpu", "ms", bar=1.5),
    Measure("CPU, burst stream × 64", "burst_64_cpu", "ms"),
    Measure("CPU, burst stream × 1", "burst_1_cpu", "ms"),
    Measure("p50, chat × 1", "chat_1_p50", "ms"),
    Measure("p99, chat × 1", "chat_1_p99", "ms"),
    Measure("p50, chat × 64", "chat_64_p50", "ms"),
    Measure("p99, chat × 64", "chat_64_p99", "ms"),
    Measure("p50, burst stream × 1", "burst_1_p50", "ms"),
    Measure("p99, burst stream × 1", "burst_1_p99", "ms"),
    Measure("p50, burst stream × 64", "burst_64_p50", "ms"),
    Measure("p99, burst stream × 64", "burst_64_p99", "ms"),
    Measure("memory, open stream", "stream", "KB", bar=40, bar_for="value"),
    Measure("memory, idle", "idle", "MB", bar=80, bar_for="value"),
    Measure("start to first answer", "start", "s", bar=1.5, bar_for="value"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One measure on one engine, in the measure's unit; None where a contender was not measured."""

    engine: Engine
    measure: Measure
    floor: Spread | None
    ailb: Spread | None
    ratio: Spread | None

    @property
    def passed(self) -> bool | None:
        """None where there is no bar, or nothing to hold against it."""
        held = self.ratio if self.measure.bar_for == "ratio" else self.ailb
        return None if held is None or self.measure.bar is None else held.middle <= self.measure.bar

    @property
    def mark(self) -> str:
        return {True: "✔", False: "✘", None: ""}[self.passed]


def rows(book: Book, engine: Engine) -> Iterator[Row]:
    for measure in MEASURES:
        floor, ailb = (_scaled(book.values(engine, name, measure.key), measure.unit) for name in ("floor", "ailb"))
        ratio = spread(ratios(ailb, floor)) if floor and ailb else None
        yield Row(engine, measure, spread(floor), spread(ailb), ratio)


def headroom(book: Book) -> float | None:
    """How many times the fastest contender's rate the upstream and the generator reach alone, on the workload where it is least."""
    found = []
    for workload in SATURATING:
        key = f"{workload.key}_rate"
        direct = book.values("none", "direct", key)
        reached = [rate for engine in ENGINES for name in CONTENDERS for rate in book.values(engine, name, key)]
        if direct and reached:
            found.append(max(direct) / max(reached))
    return min(found, default=None)


def amount(value: Spread | None, unit: str) -> str:
    if value is None:
        return "–"
    digits = 0 if value.middle >= 100 else 1 if value.middle >= 10 else 2
    return f"{value.middle:.{digits}f} {unit}"


def times(ratio: Spread | None) -> str:
    return "–" if ratio is None else f"{ratio.middle:.2f}× ({ratio.low:.2f}–{ratio.high:.2f})"


def _scaled(values: list[float], unit: str) -> list[float]:
    return [value * UNITS[unit] for value in values]
