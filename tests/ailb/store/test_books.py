import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ailb.errors import BudgetExceeded, Unavailable, Unpriced
from ailb.ledger import Hold
from ailb.rates import PER, Rates
from ailb.secret import Secret
from ailb.store.database import Database
from ailb.store.schema import ENTRIES, HOLDS, SPEND
from ailb.store.windows import DAY, PERIODS, Windows
from tests.ailb.store.clocks import START, SetClock
from tests.ailb.store.made import patient
from tests.ailb.store.money import Bank, all_of_it, charge, intent


@pytest.fixture
async def bank(database: Database) -> AsyncIterator[Bank]:
    bank = Bank(database)
    yield bank
    await bank.check()


async def spent(bank: Bank, scope: str, scope_id: str) -> list[tuple[int, int]]:
    return [(state.spent_nanos, state.held_nanos) for state in await bank.budgets.get(scope, scope_id)]


async def test_a_hold_is_written_down_and_a_charge_takes_its_place(bank: Bank) -> None:
    await bank.budgets.set("user", "ann", period="daily", limit_nanos=1000)
    hold = await bank.books.hold(intent())
    assert (100, 100, 90) == (hold.nanos, hold.tokens, hold.output_tokens)
    assert [hold.id] == [row["id"] for row in await bank.rows(HOLDS)]
    assert [(0, 100)] == await spent(bank, "user", "ann")
    await bank.check()
    await bank.books.settle(hold, charge(40))
    assert [] == await bank.rows(HOLDS)
    assert [(40, 0)] == await spent(bank, "user", "ann")
    (entry,) = await bank.rows(ENTRIES)
    assert (40, 40, "complete", hold.id, False) == tuple(entry[name] for name in ("nanos", "input", "status", "hold_id", "estimated"))
    assert Rates.of_json(entry["rates"]) == hold.intent.rates
    (spend,) = await bank.rows(SPEND)
    assert (40, 40, 1) == (spend["nanos"], spend["tokens"], spend["requests"])


async def test_without_a_budget_everything_is_written_down_all_the_same(bank: Bank) -> None:
    free, unpriced = await bank.books.hold(intent(key_id=None)), await bank.books.hold(intent(rates=None))
    assert (100, 0, (), ()) == (free.nanos, unpriced.nanos, free.standings, unpriced.standings)
    await bank.books.settle(free, charge(7, "failed"))
    await bank.books.settle(unpriced, charge(0))
    assert [0, 1] == sorted(row["requests"] for row in await bank.rows(SPEND))


async def test_a_second_charge_changes_nothing(bank: Bank) -> None:
    await bank.budgets.set("global", "", period="total", limit_nanos=1000)
    hold = await bank.books.hold(intent())
    await asyncio.gather(bank.books.settle(hold, charge(40)), bank.books.settle(hold, charge(60)))
    await bank.books.settle(hold, charge(50))
    assert [(40, 0)] == await spent(bank, "global", "")


async def test_a_budget_without_a_price_refuses(bank: Bank) -> None:
    await bank.budgets.set("provider", "p", period="total", limit_nanos=1000)
    with pytest.raises(Unpriced):
        await bank.books.hold(intent(rates=None))


@pytest.mark.parametrize(
    ("limits", "asked", "granted"),
    [
        ({"limit_nanos": 100}, {}, 90),
        ({"limit_nanos": 99}, {}, 89),
        ({"limit_nanos": 11}, {}, 1),
        ({"limit_nanos": 10}, {}, None),
        ({"limit_nanos": 50}, {"least_tokens": 41}, None),
        ({"limit_nanos": 99}, {"choices": 3}, 29),
        ({"limit_tokens": 99}, {}, 89),
        ({"limit_tokens": 99}, {"choices": 3}, 29),
        ({"limit_tokens": 10}, {}, None),
        ({"limit_nanos": 60, "limit_tokens": 40}, {}, 30),
        ({"limit_nanos": 10}, {"output": 0}, 0),
        ({"limit_nanos": 9}, {"output": 0}, None),
        ({"limit_nanos": 0}, {"rates": Rates()}, 90),
        ({}, {}, 90),
    ],
)
async def test_what_is_left_decides_how_much_is_granted(
    bank: Bank, limits: dict[str, int], asked: dict[str, Any], granted: int | None
) -> None:
    await bank.budgets.set("user", "ann", period="daily", **limits)
    try:
        hold = await bank.books.hold(intent(**asked))
    except BudgetExceeded:
        assert granted is None
    else:
        assert granted == hold.output_tokens


async def test_all_or_nothing_takes_nothing(bank: Bank) -> None:
    await bank.budgets.set("user", "ann", period="daily", limit_nanos=99)
    with pytest.raises(BudgetExceeded):
        await bank.books.hold(all_of_it())
    assert [(0, 0)] == await spent(bank, "user", "ann")


async def test_a_hold_tells_what_is_left_and_when_it_gets_tight(bank: Bank) -> None:
    await bank.budgets.set("user", "ann", period="daily", limit_nanos=1000, soft_limit_ppm=100_000)
    await bank.budgets.set("global", "", period="daily", limit_tokens=1000)
    user, everyone = (await bank.books.hold(intent())).standings
    assert ("user", 900, None, True) == (user.scope, user.left_nanos, user.left_tokens, user.warning)
    assert ("global", None, 900, False) == (everyone.scope, everyone.left_nanos, everyone.left_tokens, everyone.warning)


@pytest.mark.parametrize(
    ("scope", "scope_id"), [("key", "k1"), ("user", "ann"), ("model", "m"), ("model", "alias"), ("provider", "p"), ("global", "")]
)
async def test_every_scope_pays(bank: Bank, scope: str, scope_id: str) -> None:
    await bank.budgets.set(scope, scope_id, period="daily", limit_nanos=150)
    first = await bank.books.hold(intent())
    assert (await bank.books.hold(intent())).output_tokens == 40
    with pytest.raises(BudgetExceeded):
        await bank.books.hold(intent())
    await bank.books.settle(first, charge(20))
    assert [(20, 50)] == await spent(bank, scope, scope_id)
    assert (await bank.books.hold(intent(user="bob", key_id="k2", model="n", asked="n", provider="q"))).output_tokens == (
        70 if scope == "global" else 90
    )


async def test_of_many_at_once_as_many_get_in_as_can_be_paid(bank: Bank) -> None:
    await bank.budgets.set("user", "new", period="daily", limit_nanos=100)
    results = await asyncio.gather(*(bank.books.hold(all_of_it("new")) for _ in range(8)), return_exceptions=True)
    assert 1 == sum(isinstance(result, Hold) for result in results)
    assert 7 == sum(isinstance(result, BudgetExceeded) for result in results)


async def test_a_budget_over_many_is_never_passed_and_its_refusal_leaves_nothing_held(bank: Bank) -> None:
    await bank.budgets.set("global", "", period="daily", limit_nanos=1050)
    for user in range(20):
        await bank.budgets.set("user", f"u{user}", period="daily", limit_nanos=10_000)
    asking = [bank.books.hold(all_of_it(f"u{number % 20}")) for number in range(200)]
    holds = [result for result in await asyncio.gather(*asking, return_exceptions=True) if isinstance(result, Hold)]
    assert len(holds) == 10
    users = [state for state in await bank.budgets.all() if state.scope == "user"]
    assert sum(state.held_nanos for state in users) == 1000
    assert [(0, 1000)] == await spent(bank, "global", "")


async def test_several_gateways_share_one_limit(url: Secret, clock: SetClock) -> None:
    async with patient(url, clock) as one, patient(url, clock) as other:
        await one.prepare()
        await other.prepare()
        banks = [Bank(one, "p1"), Bank(other, "p2")]
        await banks[0].budgets.set("user", "ann", period="daily", limit_nanos=1000)
        asking = [banks[number % 2].books.hold(all_of_it()) for number in range(40)]
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert 10 == sum(isinstance(result, Hold) for result in results)
        await banks[1].budgets.set("user", "ann", period="daily", limit_nanos=1100)
        await banks[0].books.hold(all_of_it())
        await banks[0].check()


async def test_a_new_budget_sees_what_was_spent_and_what_is_under_way(bank: Bank) -> None:
    before = await bank.books.hold(intent())
    under_way = await bank.books.hold(intent())
    await bank.books.settle(before, charge(40))
    await bank.budgets.set("user", "ann", period="monthly", limit_nanos=250)
    assert [(40, 100)] == await spent(bank, "user", "ann")
    await bank.books.hold(all_of_it())
    with pytest.raises(BudgetExceeded):
        await bank.books.hold(intent())
    await bank.check()
    await bank.books.settle(under_way, charge(30))
    assert [(70, 100)] == await spent(bank, "user", "ann")


async def test_what_is_settled_before_a_new_budget_is_needed_is_counted_once(bank: Bank) -> None:
    hold = await bank.books.hold(intent())
    await bank.budgets.set("user", "ann", period="daily", limit_nanos=250)
    await bank.books.settle(hold, charge(40))
    await bank.books.hold(intent())
    assert [(40, 100)] == await spent(bank, "user", "ann")


async def test_a_budget_that_is_removed_is_forgotten_by_its_holds(bank: Bank) -> None:
    await bank.budgets.set("user", "ann", period="daily", limit_nanos=100)
    hold = await bank.books.hold(intent())
    await bank.budgets.remove("user", "ann")
    other = await bank.books.hold(intent())
    await bank.budgets.set("user", "ann", period="daily", limit_nanos=1000)
    await bank.books.settle(hold, charge(5))
    assert [(5, 100)] == await spent(bank, "user", "ann")
    await bank.books.settle(other, charge(6))
    assert [(11, 0)] == await spent(bank, "user", "ann")


async def test_a_cost_is_in_the_window_in_which_it_was_promised(bank: Bank, clock: SetClock) -> None:
    for period in PERIODS:
        await bank.budgets.set("user", "ann", period=period, limit_nanos=150)
    clock.now = START + 86_400 - 1
    hold = await bank.books.hold(intent())
    clock.now = START + 86_400
    states = {state.period: state for state in await bank.budgets.get("user", "ann")}
    assert [0, 100, 100, 100] == [states[period].held_nanos for period in PERIODS]
    assert states["daily"].window_start == int(START) * 1_000_000 + DAY
    await bank.books.settle(hold, charge(60))
    states = {state.period: state for state in await bank.budgets.get("user", "ann")}
    assert [0, 60, 60, 60] == [states[period].spent_nanos for period in PERIODS]
    await bank.check()
    assert (await bank.books.hold(intent())).output_tokens == 80


async def test_weeks_begin_where_one_says(sqlite_url: Secret, clock: SetClock) -> None:
    async with patient(sqlite_url, clock, Windows(week_starts=1)) as database:
        await database.prepare()
        bank = Bank(database)
        await bank.budgets.set("user", "ann", period="weekly", limit_nanos=100)
        await bank.books.settle(await bank.books.hold(intent()), charge(100))
        with pytest.raises(BudgetExceeded):
            await bank.books.hold(intent())
        clock.now += 86_400
        await bank.books.hold(intent())
        await bank.check()


@pytest.mark.parametrize("turns", range(0, 60, 2))
async def test_whoever_is_cancelled_holds_nothing(sqlite_url: Secret, clock: SetClock, turns: int) -> None:
    async with patient(sqlite_url, clock) as database:
        await database.prepare()
        bank = Bank(database)
        await bank.budgets.set("user", "ann", period="daily", limit_nanos=1000)
        task = asyncio.create_task(bank.books.hold(intent()))
        for _ in range(turns):
            await asyncio.sleep(0.0001 if turns > 10 else 0)
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            await bank.books.settle(task.result(), charge(10))
        await bank.database.write(_nothing)
        assert [] == await bank.rows(HOLDS)
        await bank.check()


async def _nothing(connection: object) -> None:
    """Waits for what was put before."""


async def test_a_settlement_whose_caller_is_cancelled_is_written(bank: Bank) -> None:
    await bank.budgets.set("user", "ann", period="daily", limit_nanos=1000)
    hold = await bank.books.hold(intent())

    async def settle() -> None:
        await bank.books.settle(hold, charge(10))

    task = asyncio.create_task(settle())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    await bank.database.write(_nothing)
    assert [(10, 0)] == await spent(bank, "user", "ann")


async def test_while_the_database_is_locked_nothing_is_promised_and_nothing_lost(
    sqlite_url: Secret, clock: SetClock, tmp_path: Path
) -> None:
    async with Database(sqlite_url, clock) as database:
        await database.prepare()
        bank = Bank(database)
        await bank.budgets.set("user", "ann", period="daily", limit_nanos=1000)
        hold = await bank.books.hold(intent())
        other = sqlite3.connect(tmp_path / "ailb.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        written = bank.books.settle(hold, charge(10))
        with pytest.raises(Unavailable):
            await bank.books.hold(intent())
        other.execute("ROLLBACK")
        other.close()
        await written
        assert [(10, 0)] == await spent(bank, "user", "ann")
        await bank.check()


async def test_names_that_a_database_cannot_keep_are_kept_as_far_as_it_can(bank: Bank) -> None:
    await bank.budgets.set("user", "a?b", period="daily", limit_nanos=1000)
    hold = await bank.books.hold(intent("a\0b", model="\ud800" + "é" * 400, asked="x" * 400))
    await bank.books.settle(hold, charge(10))
    assert [(10, 0)] == await spent(bank, "user", "a?b")


async def test_an_absurd_price_does_not_overflow(bank: Bank) -> None:
    hold = await bank.books.hold(intent(output=1 << 40, rates=Rates(input=PER, output=PER * 10**9)))
    assert 0 < hold.nanos < 1 << 63
    await bank.books.settle(hold, charge(10))
    assert [10] == [row["nanos"] for row in await bank.rows(ENTRIES)]
