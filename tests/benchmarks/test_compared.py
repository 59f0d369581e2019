"""The exit status, and whether a page is written."""

from argparse import Namespace

import pytest
from rich.table import Table

from benchmarks.children import BenchmarkError
from benchmarks.compared import Step, compare
from benchmarks.money import Plan
from benchmarks.stats import Book


@pytest.mark.parametrize("write", [True, False])
def test_what_was_measured_is_shown_and_written_if_wanted(write: bool, capsys: pytest.CaptureFixture[str]) -> None:
    book, written = Book(), list[Book]()
    assert 0 == compare(Namespace(write=write), Plan(), lambda plan, step: book, lambda found: Table("shown"), written.append)
    assert ([book] if write else [], True) == (written, "shown" in capsys.readouterr().out)


@pytest.mark.parametrize(("problem", "status"), [(BenchmarkError("no answer"), 1), (KeyboardInterrupt(), 130)])
def test_what_could_not_be_measured_is_not_written(problem: BaseException, status: int) -> None:
    def run(plan: Plan, step: Step) -> Book:
        raise problem

    written = list[Book]()
    assert status == compare(Namespace(write=True), Plan(), run, lambda book: Table(), written.append)
    assert [] == written
