import pytest

from ailb.secret import Secret
from ailb.store.database import Database
from ailb.store.schema import ENTRIES, HOLDS, PROCESSES
from ailb.store.sweeper import LEASE_SECONDS, Sweeper
from tests.ailb.store.clocks import SetClock, WrongClock
from tests.ailb.store.made import patient
from tests.ailb.store.money import Bank, charge, intent


def sweeper(bank: Bank, name: str, *, alone: bool = False) -> Sweeper:
    return Sweeper(bank.database, bank.books, name, alone=alone)


async def beats(sweeper: Sweeper, clock: SetClock, seconds: int) -> int:
    """One now, and one after each second. What was swept."""
    swept = await sweeper.beat()
    for _ in range(seconds):
        clock.now += 1
        swept += await sweeper.beat()
    return swept


async def test_what_the_dead_have_held_is_settled_at_its_worst(database: Database, clock: SetClock) -> None:
    dead, alive = Bank(database, "p1"), Bank(database, "p2")
    await alive.budgets.set("user", "ann", period="daily", limit_nanos=1000)
    await sweeper(dead, "p1").beat()
    await dead.books.hold(intent())
    await alive.books.hold(intent())
    survivor = sweeper(alive, "p2")
    assert await beats(survivor, clock, int(LEASE_SECONDS)) == 0
    clock.now += 0.01
    assert await survivor.beat() == 1
    await alive.check()
    (entry,) = await alive.rows(ENTRIES)
    assert (100, 10, 90, "broken", True, "process died") == tuple(
        entry[name] for name in ("nanos", "input", "output", "status", "estimated", "error")
    )
    (state,) = await alive.budgets.get("user", "ann")
    assert (100, 100) == (state.spent_nanos, state.held_nanos)
    assert ["p2"] == [row["id"] for row in await alive.rows(PROCESSES)]


async def test_a_charge_that_comes_after_the_sweep_changes_nothing(database: Database, clock: SetClock) -> None:
    slow, other = Bank(database, "p1"), Bank(database, "p2")
    await other.budgets.set("user", "ann", period="daily", limit_nanos=1000)
    hold = await slow.books.hold(intent())
    assert await sweeper(other, "p2").beat() == 1
    await slow.books.settle(hold, charge(40))
    await sweeper(slow, "p1").beat()
    (state,) = await other.budgets.get("user", "ann")
    assert (100, 0) == (state.spent_nanos, state.held_nanos)
    await other.check()


async def test_alone_nobody_else_can_be_alive(database: Database) -> None:
    before = Bank(database, "p1")
    await sweeper(before, "p1").beat()
    await before.books.hold(intent())
    now = Bank(database, "p2")
    assert await sweeper(now, "p2", alone=True).beat() == 1
    assert [] == await now.rows(HOLDS)


async def test_what_is_left_behind_at_the_end_is_anybodys(database: Database) -> None:
    bank, other = Bank(database, "p1"), Bank(database, "p2")
    await sweeper(bank, "p1").beat()
    await bank.books.hold(intent())
    await sweeper(bank, "p1").leave()
    assert await sweeper(other, "p2").beat() == 1


@pytest.mark.parametrize("wrong", [-3600.0, -5.0, 5.0, 3600.0])
async def test_nobody_is_dead_for_having_another_time(url: Secret, wrong: float) -> None:
    mine, theirs = WrongClock(), WrongClock(wrong=wrong)
    async with patient(url, mine) as here, patient(url, theirs) as there:
        await here.prepare()
        await there.prepare()
        one, other = Bank(here, "p1"), Bank(there, "p2")
        first, second = sweeper(one, "p1"), sweeper(other, "p2")
        await first.beat()
        await second.beat()
        await one.books.hold(intent())
        await other.books.hold(intent())
        for second_hand in range(20):
            mine.now += 1
            theirs.now += 1
            mine.wrong = wrong if second_hand % 7 == 3 else 0
            assert (await first.beat(), await second.beat()) == (0, 0)
        assert len(await one.rows(HOLDS)) == 2


async def test_who_was_away_himself_does_not_know_who_is_dead(database: Database, clock: SetClock) -> None:
    one, other = Bank(database, "p1"), Bank(database, "p2")
    first, second = sweeper(one, "p1"), sweeper(other, "p2")
    await first.beat()
    await second.beat()
    await one.books.hold(intent())
    clock.now += 10 * LEASE_SECONDS
    assert (await second.beat(), await first.beat(), await second.beat()) == (0, 0, 0)
