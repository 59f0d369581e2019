"""Numbers out of rounds: the middle, and how far the rounds lie apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, between the lowest and the highest."""

    low: float
    middle: float
    high: float


def spread(values: Sequence[float]) -> Spread | None:
    """None of no values."""
    return Spread(min(values), median(values), max(values)) if values else None


def quantile(values: Sequence[float], share: float) -> float:
    """The least value that so large a share of them does not pass: of a hundred, 0.99 is the second highest. 0.0 of no values."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)] if values else 0.0


def ratios(values: Sequence[float], floor: Sequence[float]) -> list[float]:
    """Round by round, so that what slowed a whole round down slowed both sides of its ratio."""
    return [value / base for value, base in zip(values, floor, strict=True) if base > 0]


class Book:
    """What was measured: a list of values, one a round, under engine, contender and key."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str, str], list[float]] = {}

    def note(self, engine: str, contender: str, **values: float) -> None:
        for key, value in values.items():
            self._values.setdefault((engine, contender, key), []).append(value)

    def values(self, engine: str, contender: str, key: str) -> list[float]:
        return self._values.get((engine, contender, key), [])
