"""Slopes, growth and marks."""

from dataclasses import replace

import pytest

from benchmarks.soak_gateway import Held
from benchmarks.soak_loads import SOAKS
from benchmarks.soak_report import Result, Sample, growth, slope_of, sparkline

QUIET = Held(tasks=9, descriptors=20, sockets=3, exchanges=0)
STREAMS = SOAKS[0]


def samples(per_ten_thousand: float, number: int = 50_001) -> list[Sample]:
    """A gateway of 100 MB that grows by so many megabytes."""
    return [Sample(done, int(100e6 + done * per_ten_thousand * 100)) for done in range(0, number, 500)]


def result(per_ten_thousand: float = 0.0) -> Result:
    return Result(STREAMS, "uvicorn", 50_000, 100.0, samples(per_ten_thousand), QUIET, QUIET, wrong=0, complaints=0)


def failed(seen: Result) -> list[str]:
    return [figure.label for figure in seen.figures() if figure.passed is False]


def test_a_gateway_that_keeps_nothing_passes() -> None:
    assert (failed(result()), result().passed) == ([], True)


@pytest.mark.parametrize(("slope", "labels"), [(0.9, []), (1.1, ["memory, growth per 10,000"])])
def test_memory_may_grow_by_less_than_a_megabyte_per_ten_thousand(slope: float, labels: list[str]) -> None:
    assert slope_of(samples(slope)) == pytest.approx(slope, rel=1e-3)
    assert failed(result(slope)) == labels


def test_memory_counts_once_the_gateway_is_warm() -> None:
    early = [Sample(0, 10_000_000), *[sample for sample in samples(0.0) if sample.requests >= 10_000]]
    assert failed(replace(result(), samples=early)) == []
    assert growth(early) == pytest.approx(90.0)


def test_a_short_run_is_not_judged_by_its_slope() -> None:
    short = replace(result(9.0), short=True, samples=samples(9.0, 2_501), requests=2_500)
    assert [figure.passed for figure in short.figures()][:2] == [None, True]


@pytest.mark.parametrize(
    ("after", "label"),
    [
        (replace(QUIET, tasks=15), "tasks"),
        (replace(QUIET, descriptors=26), "descriptors"),
        (replace(QUIET, sockets=9), "sockets"),
        (replace(QUIET, exchanges=1), "requests being served"),
    ],
)
def test_what_stays_behind_is_named(after: Held, label: str) -> None:
    assert failed(replace(result(), after=after)) == [label]
    assert failed(replace(result(), after=replace(QUIET, tasks=14, descriptors=25, sockets=8))) == []


def test_wrong_answers_and_complaints_fail() -> None:
    assert failed(replace(result(), wrong=1, complaints=1)) == ["answers that were wrong", "complaints in the log"]


def test_a_sparkline_goes_from_the_least_to_the_most() -> None:
    assert sparkline(samples(1.0), width=8) == "▁▁▂▃▄▅▆█"
    assert sparkline(samples(0.0), width=3) == "▁▁▁"
