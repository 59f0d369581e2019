"""What came of a soak: figures, each beside what it may be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import linear_regression

from benchmarks.soak_gateway import Held
from benchmarks.soak_loads import Soak

MORE = 5
"""Tasks, descriptors and sockets that may be there afterwards and were not before: who looks has some, too."""

SHADES = "▁▂▃▄▅▆▇█"
MEGABYTE = 1e6
PER = 10_000


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident bytes after so many requests."""

    requests: int
    resident: int


@dataclass(frozen=True, slots=True)
class Figure:
    """`passed` is None where nothing is asked of it."""

    label: str
    value: str
    bar: str
    passed: bool | None


@dataclass(frozen=True, slots=True)
class Result:
    """One soak on one engine. `short`: too few requests for a slope to mean anything, so that it is told and not judged."""

    soak: Soak
    engine: str
    requests: int
    seconds: float
    samples: Sequence[Sample]
    before: Held
    after: Held
    wrong: int
    complaints: int
    short: bool = False

    def figures(self) -> Iterator[Figure]:
        soak = self.soak
        grown, slope = growth(self.warm), slope_of(self.warm)
        if soak.slope is not None:
            judged = None if self.short else slope < soak.slope
            yield Figure("memory, growth per 10,000", f"{slope:+.2f} MB", f"< {soak.slope:g} MB", judged)
        yield Figure("memory, growth in all", f"{grown:+.1f} MB", f"< {soak.total:g} MB", grown < soak.total)
        for label, before, after in (
            ("tasks", self.before.tasks, self.after.tasks),
            ("descriptors", self.before.descriptors, self.after.descriptors),
            ("sockets", self.before.sockets, self.after.sockets),
        ):
            yield Figure(label, f"{before} → {after}", f"+ {MORE} at most", after <= before + MORE)
        yield Figure("requests being served", f"{self.after.exchanges}", "0", self.after.exchanges == 0)
        yield Figure("answers that were wrong", f"{self.wrong}", "0", self.wrong == 0)
        yield Figure("complaints in the log", f"{self.complaints}", "0", self.complaints == 0)

    @property
    def warm(self) -> Sequence[Sample]:
        return [sample for sample in self.samples if sample.requests >= self.soak.warm * self.requests]

    @property
    def passed(self) -> bool:
        return all(figure.passed is not False for figure in self.figures())


def growth(samples: Sequence[Sample]) -> float:
    """Megabytes from the first sample to the highest."""
    sizes = [sample.resident for sample in samples]
    return (max(sizes) - sizes[0]) / MEGABYTE


def slope_of(samples: Sequence[Sample]) -> float:
    """Megabytes per 10,000 requests, by least squares."""
    fitted = linear_regression([sample.requests for sample in samples], [sample.resident for sample in samples])
    return fitted.slope * PER / MEGABYTE


def memory(samples: Sequence[Sample]) -> str:
    """From the first to the last, drawn in between."""
    sizes = [sample.resident / MEGABYTE for sample in samples]
    return f"memory {sizes[0]:.0f} MB {sparkline(samples)} {sizes[-1]:.0f} MB"


def sparkline(samples: Sequence[Sample], width: int = 30) -> str:
    """Memory over requests, from the least to the most."""
    sizes = [sample.resident for sample in samples]
    picked = [sizes[at * (len(sizes) - 1) // (width - 1)] for at in range(width)]
    low, high = min(picked), max(picked)
    return "".join(SHADES[(size - low) * (len(SHADES) - 1) // max(1, high - low)] for size in picked)
