"""The bars and the page."""

import io

import pytest
from rich.console import Console

from benchmarks.money_report import LABELS, document, lines, table
from benchmarks.stats import Book


def measured(*, money: float = 0.4, later: float = 2.0, rate: float = 1500.0) -> Book:
    """Milliseconds, the same on both engines."""
    book = Book()
    for key in LABELS:
        for engine in ("hypercorn", "uvicorn"):
            for name, cost, p50 in (("floor", 0.2, 1.0), ("ailb", 0.3, 1.0), ("money", money, 1.0 + later)):
                book.note(engine, name, **{f"{key}_cpu": cost / 1e3, f"{key}_p50": p50 / 1e3, f"{key}_rate": rate})
    return book


def passed(book: Book) -> dict[str, bool | None]:
    return {line.label: line.passed for line in lines(book)}


def test_a_request_alone_has_no_bar() -> None:
    assert {"chat × 1, hypercorn": None, "chat × 1, uvicorn": None}.items() <= passed(measured()).items()


@pytest.mark.parametrize(("money", "good"), [(0.49, True), (0.51, False)])
def test_money_is_to_add_no_more_than_one_request_of_the_floor(money: float, good: bool) -> None:
    found = passed(measured(money=money))
    assert (good, good) == (found["chat × 64, hypercorn"], found["chat × 64, uvicorn"])


@pytest.mark.parametrize(("later", "good"), [(2.9, True), (3.1, False)])
def test_it_is_to_take_three_milliseconds_at_most_where_it_is_calm(later: float, good: bool) -> None:
    found = passed(measured(later=later))
    assert (good, True) == (found["chat × 64, calm, uvicorn"], found["chat × 64, uvicorn"])


def test_only_uvicorn_is_to_answer_a_thousand_a_second() -> None:
    found = passed(measured(rate=900.0))
    assert (True, False) == (found["chat × 64, hypercorn"], found["chat × 64, uvicorn"])


def test_what_was_not_measured_is_neither() -> None:
    assert {line.passed for line in lines(Book())} == {None}


def test_the_page_and_the_terminal_tell_the_same() -> None:
    row = "200 (200 to 200) | 300 (300 to 300) | 400 (400 to 400) | 0.50 (0.50 to 0.50) | 2.00 (2.00 to 2.00) | 1500 (1500 to 1500)"
    assert f"| chat × 64, uvicorn ✔ | {row} |" in document(measured(), 3)
    output = io.StringIO()
    Console(file=output, width=200).print(table(measured()))
    assert any("chat × 64, uvicorn" in line and "0.50 (0.50 to 0.50)" in line for line in output.getvalue().splitlines())
