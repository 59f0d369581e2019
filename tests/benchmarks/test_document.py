"""The page, the table on a terminal, and what the command is told."""

import io

from rich.console import Console

from benchmarks.__main__ import parser, plan
from benchmarks.contenders import AILB, FLOOR
from benchmarks.document import document
from benchmarks.report import MEASURES
from benchmarks.rounds import Plan
from benchmarks.terminal import progress, show
from tests.benchmarks.books import measured

PLAN = Plan((FLOOR, AILB), ("uvicorn",), rounds=3, seconds=1.0)


def test_the_page_has_a_line_for_each_measure_and_no_time_of_a_request() -> None:
    page = document(measured("uvicorn", 1.0, 1.25), PLAN)
    assert "| | uvicorn | bar |\n|---|---:|---:|\n" in page
    assert all(f"| {measure.label} | " in page for measure in MEASURES)
    assert "| CPU, chat × 64 | 1.25× (1.25–1.25) ✔ | ≤ 1.5× |" in page
    assert "| memory, open stream | 1.25 KB (floor 1.00 KB) ✔ | ≤ 40 KB |" in page
    assert "median of 3 rounds" in page


def test_the_page_says_how_far_the_upstream_is_from_being_the_bottleneck() -> None:
    book = measured("uvicorn", 1.0, 1.25)
    assert "load generator" not in document(book, PLAN)
    book.note("none", "direct", chat_64_rate=1000.0)
    book.note("uvicorn", "floor", chat_64_rate=100.0)
    assert "answer at least 10.0 times as many requests" in document(book, PLAN)


def test_the_terminal_shows_amounts_and_marks() -> None:
    output = io.StringIO()
    show(Console(file=output, width=120), measured("uvicorn", 1.0, 2.0), PLAN.engines)
    line = next(line for line in output.getvalue().splitlines() if "CPU, chat × 64" in line)
    assert all(cell in line for cell in ("1.00 ms", "2.00 ms", "2.00× (2.00–2.00)", "≤ 1.5×", "✘"))


def test_progress_takes_every_step() -> None:
    output = io.StringIO()
    with progress(Console(file=output, force_terminal=True), steps=2) as step:
        step("one")
        step("two")
    assert "two" in output.getvalue()
    assert "1/2" in output.getvalue()


def test_a_plan_measures_everything_unless_it_is_told_less() -> None:
    assert [contender.name for contender in plan(parser().parse_args([])).contenders] == ["floor", "ailb"]
    quick = plan(parser().parse_args(["--quick", "--only", "floor", "--engine", "uvicorn"]))
    assert (quick.contenders, quick.engines) == ((FLOOR,), ("uvicorn",))
    assert quick.rounds < plan(parser().parse_args([])).rounds


def test_a_profile_is_asked_for_by_its_kind() -> None:
    told = parser().parse_args(["profile", "stream", "--engine", "hypercorn"])
    assert (told.mode, told.kind, told.engine, told.of) == ("profile", "stream", "hypercorn", "ailb")
