"""Clocks that differ or jump (FAULTS A20): money does not mind."""

from collections.abc import Iterable
from itertools import cycle

import pytest

from ailb.errors import BudgetExceeded
from ailb.secret import Secret
from ailb.store.schema import COUNTERS, ENTRIES
from ailb.store.windows import DAY
from tests.ailb.store.clocks import START, WrongClock
from tests.ailb.store.made import patient
from tests.ailb.store.money import Bank, all_of_it, charge

HOUR = 3600.0


async def spend(banks: Iterable[Bank], clocks: list[WrongClock], jumps: Iterable[float], number: int) -> int:
    """So many calls, of 100 held and 40 charged, by turns, with a jump between hold and charge. How many were admitted."""
    admitted = 0
    for bank, clock, jump in zip(banks, cycle(clocks), jumps, strict=False):
        clock.now += 1
        try:
            hold = await bank.books.hold(all_of_it())
        except BudgetExceeded:
            hold = None
        clock.wrong = jump
        if hold is not None:
            assert all((standing.left_nanos or 0) >= 0 for standing in hold.standings)
            admitted += 1
            await bank.books.settle(hold, charge(40))
        (state,) = await bank.budgets.get("user", "ann", "daily")
        assert min(state.held_nanos, state.spent_nanos) >= 0
        if (number := number - 1) == 0:
            break
    return admitted


@pytest.mark.parametrize("jumps", [(-HOUR, 0.0), (HOUR, 0.0), (5.0, -5.0), (-HOUR, HOUR, 0.0)], ids=str)
async def test_each_call_is_in_one_window_whatever_the_time_was(url: Secret, jumps: tuple[float, ...]) -> None:
    """Around midnight, two processes."""
    mine, theirs = WrongClock(START - 10), WrongClock(START - 10)
    async with patient(url, mine) as here, patient(url, theirs) as there:
        await here.prepare()
        await there.prepare()
        one, other = Bank(here, "p1"), Bank(there, "p2")
        await one.budgets.set("user", "ann", period="daily", limit_nanos=500)
        await one.budgets.set("global", "", period="total", limit_nanos=10_000)
        admitted = await spend(cycle((one, other)), [mine, theirs], cycle(jumps), 40)
        await one.check()
        assert len(await one.rows(ENTRIES)) == admitted
        starts = [row["window_start"] for row in await one.rows(COUNTERS) if row["window_start"] != 0]
        assert sorted(set(starts)) == sorted(starts)
        assert {start % DAY for start in starts} == {0}
        assert all(row["spent_nanos"] <= 500 for row in await one.rows(COUNTERS) if row["window_start"] != 0)
        assert 11 <= admitted <= 11 * len(starts)
