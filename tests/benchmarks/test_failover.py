"""The measurement itself, small: four providers under a light load. What must hold at any size is asserted; times are not."""

import asyncio
from pathlib import Path

import pytest

from benchmarks import failover
from benchmarks.failover import Seen, gateway, load, rows, street
from benchmarks.failover_upstream import KINDS


@pytest.mark.timeout(120)
def test_a_slow_a_flaky_and_a_dead_provider_are_nobodys_error(tmp_path: Path) -> None:
    with street(tmp_path) as made, gateway(made, "latency_optimized", (*KINDS, "dead")) as port:
        seen = asyncio.run(load(port, 30.0, 4.0))
    assert ([], 0, 120) == (seen.errors, seen.cut, len(seen.seconds))


@pytest.mark.timeout(120)
def test_who_is_killed_and_restored_is_nobodys_error_either(tmp_path: Path) -> None:
    with street(tmp_path) as made, gateway(made, "load_balanced", (*KINDS, "dead")) as port:
        without = Seen()
        seen = asyncio.run(load(port, 30.0, 15.0, made, without=without))
    answers, others = (len(part.seconds) + part.cut for part in (seen, without))
    assert ([], [], 450) == (seen.errors, without.errors, answers + others)
    assert answers
    assert others >= 30  # its circuit is open for a second
    assert set() == made.gone


def test_an_error_and_a_slow_tail_are_missed_bars() -> None:
    alone, slow = Seen([0.1] * 100), Seen([0.2] * 100)
    assert not rows([("the good one alone", alone), ("all four, latency_optimized", Seen([0.1] * 100))])[1]
    assert rows([("the good one alone", alone), ("all four, latency_optimized", slow)])[1]
    assert not rows([("the good one alone", alone), ("all four, random", slow)])[1]
    assert rows([("the good one alone", alone), ("all four, random", Seen([0.1], ["500: down"]))])[1]


def test_the_page_has_the_section_that_is_written() -> None:
    assert failover.START in failover.PAGE.read_text(encoding="utf-8")
    assert failover.END in failover.PAGE.read_text(encoding="utf-8")
