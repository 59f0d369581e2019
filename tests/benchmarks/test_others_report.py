"""The ratio, its bar and the page."""

import io

import pytest
from rich.console import Console

from benchmarks.litellm import VERSION
from benchmarks.others_report import LABELS, document, lines, table
from benchmarks.stats import Book


def measured(money: float, litellm: float) -> Book:
    """In milliseconds, the same on both engines."""
    book = Book()
    for key in LABELS:
        for engine in ("hypercorn", "uvicorn"):
            for name, cost in (("floor", 0.2), ("ailb", 0.3), ("money", money)):
                book.note(engine, name, **{f"{key}_cpu": cost / 1e3})
        book.note("uvicorn", "litellm", **{f"{key}_cpu": litellm / 1e3})
    return book


@pytest.mark.parametrize(("litellm", "passed"), [(10.1, True), (9.9, False)])
def test_litellm_is_to_take_twenty_times_as_much(litellm: float, passed: bool) -> None:
    assert [line.passed for line in lines(measured(0.5, litellm))] == [passed] * 2 * len(LABELS)


def test_what_was_not_measured_is_neither() -> None:
    assert {line.passed for line in lines(Book())} == {None}


def test_the_page_and_the_terminal_tell_the_same() -> None:
    book = measured(0.5, 12.5)
    assert "| chat × 64, hypercorn | 0.20 | 0.30 | 0.50 | 12.50 | 25× (25–25) ✔ | ≥ 20× |" in document(book, 3)
    assert f"LiteLLM {VERSION}" in document(book, 3)
    output = io.StringIO()
    Console(file=output, width=140).print(table(book))
    assert any("chat × 64, uvicorn" in line and "25× (25–25)" in line for line in output.getvalue().splitlines())
