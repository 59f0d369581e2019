import os
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.tally import Name, Shared, Tally
from ailb.turns import TURN
from tests.ailb.driving import driven


def test_who_counts_alone_sees_what_it_counts() -> None:
    tally = Tally()
    row = tally.row("route", "openai", width=2)
    row[0] += 1
    row[1] += 5
    tally.row("plain")[0] -= 3
    assert {("route", "openai"): [1, 5], ("plain",): [-3]} == tally.sums()


def test_the_same_name_is_the_same_row() -> None:
    tally = Tally()
    for _ in range(2):
        tally.row("a", "b")[0] += 1
    tally.row("a", "c")[0] += 1
    tally.row("a,b")[0] += 1
    assert {("a", "b"): [2], ("a", "c"): [1], ("a,b",): [1]} == tally.sums()


def test_everybody_sees_the_sum_of_all() -> None:
    shared = Shared(3)
    tallies = [shared.tally(seat) for seat in range(3)]
    for number, tally in enumerate(tallies):
        tally.row("all", width=2)[1] += 10**number
    tallies[1].row("mine")[0] += 1
    tallies[0].sums()
    tallies[2].row("late")[0] += 1
    assert [{("all",): [0, 111], ("mine",): [1], ("late",): [1]}] * 3 == [tally.sums() for tally in tallies]


def test_who_takes_a_seat_counts_on() -> None:
    shared = Shared(2)
    shared.tally(1).row("requests")[0] += 7
    after = shared.tally(1)
    after.row("requests")[0] += 1
    after.row("more")[0] += 1
    assert {("requests",): [8], ("more",): [1]} == shared.tally(0).sums() == after.sums()


@pytest.mark.parametrize("name", ["", 'a"b', "日本", "\0", "\ud800", "x" * 5000])
def test_any_name(name: str) -> None:
    shared = Shared(2)
    shared.tally(0).row(name, "x")[0] += 1
    assert {(name, "x"): [1]} == shared.tally(1).sums()


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_a_number_has_64_bits(number: int) -> None:
    tally = Tally()
    tally.row("n")[0] = number
    assert {("n",): [number]} == tally.sums()


def test_what_does_not_fit_is_not_counted_and_told_once() -> None:
    shared = Shared(2, size=4096)
    tally = shared.tally(0)
    with capture_logs() as lines:
        for number in range(200):
            tally.row(f"row {number}", width=3)[2] += 1
    assert ["error"] == [line["log_level"] for line in lines]
    counted = shared.tally(1).sums()
    assert {(f"row {number}",): [0, 0, 1] for number in range(len(counted))} == counted
    assert 50 < len(counted) < 200
    tally.row("row 0", width=3)[0] += 1
    assert [1, 0, 1] == tally.sums()["row 0",]


def test_a_process_that_is_killed_loses_nothing() -> None:
    shared = Shared(2)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:  # nothing but plain memory here: pytest's threads do not survive a fork
        row: Any = shared.tally(1).row("requests", width=2)
        row[0], row[1] = 3, 4
        os.write(writing, b"x")
        os.kill(os.getpid(), 9)
    os.read(reading, 1)
    os.waitpid(pid, 0)
    for end in (reading, writing):
        os.close(end)
    assert {("requests",): [3, 4]} == shared.tally(0).sums()


def test_what_is_not_to_be_added_up_is_told_seat_by_seat() -> None:
    shared = Shared(2)
    one, two = shared.tally(0), shared.tally(1)
    one.row("state", "a")[0], two.row("state", "a")[0], two.row("other")[0] = 3, 4, 5
    assert [(("state", "a"), [3]), (("state", "a"), [4])] == list(one.each("state")) == list(two.each("state"))


def test_a_walk_tells_the_sums_and_lets_others_have_their_turn() -> None:
    shared = Shared(3)
    tallies = [shared.tally(seat) for seat in range(3)]
    for seat, tally in enumerate(tallies):
        for number in range(seat, 10 * TURN):
            tally.row(f"row {number}", width=2)[1] += 10**seat

    async def walked() -> dict[Name, list[int]]:
        return {name: numbers async for name, numbers in tallies[1].walk()}

    found, turns = driven(walked())
    assert shared.tally(0).sums() == found
    assert [0, 111] == found["row 9",]
    assert turns >= 2 * 9 + 10  # the others' rows are found, and the sums are made


def test_what_is_added_during_a_walk_breaks_nothing() -> None:
    tally = Tally()
    for number in range(2 * TURN):
        tally.row(f"row {number}")[0] += 1

    async def walked() -> int:
        seen = 0
        async for _ in tally.walk():
            tally.row(f"more {seen}")[0] += 1
            seen += 1
        return seen

    assert 2 * TURN == driven(walked())[0]
    assert 4 * TURN == len(tally.sums())


def test_what_says_what_is_now_is_cleared_by_its_owner_alone() -> None:
    shared = Shared(2)
    dead, alive = shared.tally(0), shared.tally(1)
    dead.row("state", "a", width=2)[1] = dead.row("count")[0] = 3
    alive.row("state", "a", width=2)[1] = 4
    shared.tally(0).clear("state")
    assert {("state", "a"): [0, 4], ("count",): [3]} == alive.sums()
