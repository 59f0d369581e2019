"""Rows, bars and marks."""

import pytest

from benchmarks.load import WORKLOADS
from benchmarks.report import MEASURES, Row, amount, headroom, rows, times
from benchmarks.stats import Book, Spread
from tests.benchmarks.books import measured


def named(book: Book, key: str) -> Row:
    return next(row for row in rows(book, "uvicorn") if row.measure.key == key)


def test_every_measure_of_a_load_is_one_that_is_taken() -> None:
    taken = {f"{workload.key}_{name}" for workload in WORKLOADS for name in ("cpu", "p50", "p99", "rate")}
    assert {measure.key for measure in MEASURES} <= taken | {"start", "idle", "stream"}


@pytest.mark.parametrize(("ailb", "passed"), [(1.4, True), (1.6, False)])
def test_a_ratio_is_held_against_its_bar(ailb: float, passed: bool) -> None:
    assert named(measured("uvicorn", 1.0, ailb), "chat_64_cpu").passed is passed


@pytest.mark.parametrize(("ailb", "passed"), [(39.0, True), (41.0, False)])
def test_memory_is_held_against_its_bar_whatever_the_floor_takes(ailb: float, passed: bool) -> None:
    assert named(measured("uvicorn", 1.0, ailb), "stream").passed is passed


def test_without_a_bar_or_a_contender_nothing_is_passed_or_failed() -> None:
    assert named(measured("uvicorn", 1.0, 9.0), "chat_1_p50").mark == ""
    assert [row.passed for row in rows(Book(), "uvicorn")] == [None] * len(MEASURES)


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "–"), (0.333, "0.33 ms"), (12.34, "12.3 ms"), (1234.5, "1234 ms")],
)
def test_an_amount_has_three_digits_or_so(value: float | None, told: str) -> None:
    assert amount(None if value is None else Spread(value, value, value), "ms") == told


def test_a_ratio_is_told_with_its_spread() -> None:
    assert times(Spread(1.2, 1.3, 1.42)) == "1.30× (1.20–1.42)"
    assert times(None) == "–"


def test_headroom_is_the_least_over_the_workloads() -> None:
    book = Book()
    book.note("none", "direct", chat_64_rate=1000.0, burst_64_rate=90.0)
    book.note("uvicorn", "floor", chat_64_rate=100.0, burst_64_rate=30.0)
    book.note("hypercorn", "ailb", chat_64_rate=50.0, burst_64_rate=20.0)
    assert headroom(book) == 3.0
    assert headroom(Book()) is None
