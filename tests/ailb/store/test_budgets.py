import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.secret import Secret
from ailb.store.budgets import Budgets
from ailb.store.database import Database
from ailb.store.windows import DAY, Windows
from tests.ailb.store.clocks import START, SetClock
from tests.ailb.store.made import patient

TODAY = int(START) * 1_000_000


async def test_a_budget_is_set_and_seen(database: Database) -> None:
    budgets = Budgets(database)
    made = await budgets.set("user", "ann", period="daily", limit_nanos=100, limit_tokens=5)
    assert [made] == await budgets.get("user", "ann") == await budgets.get("user", "ann", "daily") == await budgets.all()
    assert (100, 5, 800_000, TODAY, TODAY + DAY, "healthy") == (
        made.limit_nanos,
        made.limit_tokens,
        made.soft_limit_ppm,
        made.window_start,
        made.resets_at,
        made.status,
    )
    assert await budgets.get("user", "bob") == []
    assert await budgets.get("user", "ann", "total") == []


async def test_setting_it_again_changes_it(database: Database) -> None:
    budgets = Budgets(database)
    first = await budgets.set("global", "", period="total", limit_nanos=100)
    again = await budgets.set("global", "", period="total", limit_tokens=7, soft_limit_ppm=500_000)
    assert (first.id, None, 7, 500_000, None) == (again.id, again.limit_nanos, again.limit_tokens, again.soft_limit_ppm, again.resets_at)


async def test_two_who_set_it_at_once_set_one(database: Database) -> None:
    budgets = Budgets(database)
    made = await asyncio.gather(*(budgets.set("user", "ann", period="daily", limit_nanos=n) for n in range(8)))
    assert len({state.id for state in made}) == 1


async def test_a_budget_is_removed(database: Database) -> None:
    budgets = Budgets(database)
    for period in ("daily", "weekly", "monthly"):
        await budgets.set("user", "ann", period=period, limit_nanos=1)
    assert await budgets.remove("user", "ann", "weekly") == 1
    assert ["daily", "monthly"] == [state.period for state in await budgets.get("user", "ann")]
    assert [2, 0] == [await budgets.remove("user", "ann"), await budgets.remove("user", "ann")]


async def test_a_budget_belongs_to_the_transaction_in_which_it_is_set(database: Database) -> None:
    budgets = Budgets(database)

    async def fail(connection: AsyncConnection) -> None:
        await budgets.set_in(connection, "key", "k", period="total", limit_nanos=1)
        raise LookupError("no")

    with pytest.raises(LookupError):
        await database.write(fail)
    assert await budgets.get("key", "k") == []


@pytest.mark.parametrize(("scope", "scope_id", "period"), [("team", "a", "daily"), ("global", "a", "daily"), ("user", "a", "hourly")])
async def test_a_budget_that_there_is_not_is_refused(database: Database, scope: str, scope_id: str, period: str) -> None:
    with pytest.raises(ValueError, match="no such budget"):
        await Budgets(database).set(scope, scope_id, period=period, limit_nanos=1)  # type: ignore[arg-type]


async def test_weeks_begin_where_one_says(url: Secret, clock: SetClock) -> None:
    async with patient(url, clock, Windows(week_starts=6)) as database:
        await database.prepare()
        state = await Budgets(database).set("user", "ann", period="weekly", limit_nanos=1)
        assert state.window_start == TODAY - DAY


async def test_a_limit_of_nothing_is_exceeded(database: Database) -> None:
    assert (await Budgets(database).set("user", "ann", period="daily", limit_nanos=0)).status == "exceeded"
