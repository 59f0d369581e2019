"""What the command is told, and what it shows."""

import io

from rich.console import Console

from benchmarks.soak import QUICK, parser, table
from benchmarks.soak_document import chart, document
from tests.benchmarks.test_soak_report import result


def test_the_table_has_a_line_and_a_mark_for_each_figure() -> None:
    output = io.StringIO()
    Console(file=output, width=120).print(table(result(1.5)))
    lines = output.getvalue().splitlines()
    assert any("growth per 10,000" in line and "+1.50 MB" in line and "< 1 MB" in line and "✘" in line for line in lines)
    assert any("descriptors" in line and "20 → 20" in line and "✔" in line for line in lines)
    assert any("memory 100 MB ▁" in line for line in lines)


def test_the_section_has_the_same() -> None:
    page = document([result(0.5)])
    assert "| 50,000 streams, 30 % left by the client, 10 % broken upstream, uvicorn | seen | may be |\n|---|---:|---:|\n" in page
    assert "| memory, growth per 10,000 | +0.50 MB ✔ | < 1 MB |" in page


def test_the_chart_has_a_line_for_each() -> None:
    drawn = chart([result(1.0)])
    assert drawn.startswith("<svg ")
    assert "streams, uvicorn</text>" in drawn


def test_everything_is_soaked_unless_it_is_told_less() -> None:
    everything = parser().parse_args([])
    assert (everything.engine, everything.only, everything.part) == (None, None, 1)
    assert (parser().parse_args(["--quick"]).part, parser().parse_args(["--part", "5"]).part) == (QUICK, 5)
    assert parser().parse_args(["--engine", "uvicorn", "--only", "whole"]).engine == ["uvicorn"]
