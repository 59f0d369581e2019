"""Medians, spreads and ratios."""

import pytest

from benchmarks.stats import Book, Spread, quantile, ratios, spread


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], None), ([2.0], Spread(2.0, 2.0, 2.0)), ([3.0, 1.0, 2.0], Spread(1.0, 2.0, 3.0)), ([4.0, 1.0], Spread(1.0, 2.5, 4.0))],
)
def test_spread(values: list[float], expected: Spread | None) -> None:
    assert spread(values) == expected


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, 0.0), ([7.0], 0.99, 7.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0), ([4.0, 1.0, 3.0, 2.0], 0.99, 4.0), (range(100), 0.99, 98.0)],
)
def test_quantiles_are_values_that_there_are(values: list[float], share: float, expected: float) -> None:
    assert quantile(values, share) == expected


def test_ratios_are_taken_within_a_round() -> None:
    assert ratios([3.0, 30.0], [2.0, 20.0]) == [1.5, 1.5]


def test_a_round_whose_floor_is_nothing_has_no_ratio() -> None:
    assert ratios([3.0, 3.0], [0.0, 2.0]) == [1.5]


def test_ratios_of_unequal_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


def test_the_book_keeps_every_round_apart_from_others() -> None:
    book = Book()
    book.note("uvicorn", "floor", start=1.0, idle=2.0)
    book.note("uvicorn", "floor", start=3.0)
    book.note("hypercorn", "floor", start=9.0)
    assert book.values("uvicorn", "floor", "start") == [1.0, 3.0]
    assert book.values("uvicorn", "floor", "idle") == [2.0]
    assert book.values("uvicorn", "ailb", "start") == []
