"""A book as a run would write it."""

from benchmarks.report import MEASURES, UNITS
from benchmarks.stats import Book


def measured(engine: str, floor: float, ailb: float, rounds: int = 3) -> Book:
    """Every measure is `floor` and `ailb` in its own unit, in each round."""
    book = Book()
    for _ in range(rounds):
        for name, value in (("floor", floor), ("ailb", ailb)):
            book.note(engine, name, **{measure.key: value / UNITS[measure.unit] for measure in MEASURES})
    return book
