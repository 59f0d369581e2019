"""Histograms in rows of plain numbers: a number for each bucket, the last without a bound, and the sum. Pure."""

from bisect import bisect_left
from collections.abc import Container, Sequence
from itertools import accumulate
from math import ceil, log, sqrt
from typing import Final

from ailb.tally import Row

_PARTS: Final = 1000
"""A tally keeps integers: the sum is in thousandths of the unit."""


class Histogram:
    """Of values up to each of `bounds`, which grow. It keeps nothing: rows are the caller's, and so is where in them it begins."""

    __slots__ = ("_bounds", "_last", "width")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.width: Final = len(bounds) + 2
        """How many numbers of a row it takes."""
        self._last = self.width - 1

    def add(self, row: Row, start: int, value: float) -> None:
        row[start + bisect_left(self._bounds, value)] += 1
        row[start + self._last] += int(value * _PARTS + 0.5)

    def count(self, numbers: Sequence[int], start: int) -> int:
        return sum(numbers[start : start + self.width - 1])

    def sum(self, numbers: Sequence[int], start: int) -> float:
        return numbers[start + self.width - 1] / _PARTS

    def mean(self, numbers: Sequence[int], start: int) -> float | None:
        count = self.count(numbers, start)
        return self.sum(numbers, start) / count if count else None

    def percentile(self, numbers: Sequence[int], start: int, share: float) -> float | None:
        """The middle, as ratios go, of the bucket in which it lies: off by half of what the bounds are apart, at most."""
        counts = numbers[start : start + self.width - 1]
        wanted = max(1, round(share * sum(counts)))
        for place, below in enumerate(accumulate(counts)):
            if below >= wanted:
                upper = self._bounds[min(place, len(self._bounds) - 1)]
                lower = self._bounds[place - 1] if 0 < place < len(self._bounds) else upper
                return sqrt(lower * upper)
        return None

    def cumulative(
        self, numbers: Sequence[int], start: int, scale: float = 1, only: Container[float] | None = None
    ) -> tuple[list[tuple[str, float]], float]:
        """As Prometheus wants it: the buckets by the text of their bound, and the sum. `scale` is how many of the unit are one of the
        exposition's. `only` are the bounds that are told, all of them without it.
        """
        *counts, total = accumulate(numbers[start : start + self._last])
        told = [(str(b / scale), float(count)) for b, count in zip(self._bounds, counts, strict=True) if only is None or b in only]
        return [*told, ("+Inf", float(total))], self.sum(numbers, start) / scale


def filled(bounds: Sequence[float], ratio: float) -> list[float]:
    """These bounds, and so many between them that none is more than `ratio` times the one before."""
    made = [bounds[0]]
    for upper in bounds[1:]:
        steps = ceil(log(upper / made[-1]) / log(ratio))
        made += [made[-1] * (upper / made[-1]) ** (step / steps) for step in range(1, steps)] + [upper]
    return made
