import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ailb.ledger import Status
from ailb.store.audit import SHOWN, Check, audit
from ailb.store.database import Database
from ailb.store.prune import prune, put_mark
from ailb.store.schema import BUDGETS, COUNTERS, ENTRIES, HOLDS, SPEND
from ailb.store.windows import DAY
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.ledgers import ENTRY
from tests.ailb.store.ledgers import write as write_ledger
from tests.ailb.store.money import Bank, charge, intent

ROLLED, SPENT, HELD, SIGNS, ONCE = range(5)


async def wrong(database: Database) -> list[int]:
    """Which comparisons differ."""
    return [number for number, check in enumerate(await audit(database)) if check.wrong]


async def do(database: Database, *statements: Any) -> None:
    async def work(connection: AsyncConnection) -> None:
        for statement in statements:
            await connection.execute(statement)

    await database.write(work)


async def alone(database: Database, statements: list[Any]) -> None:
    """On a connection without a gateway's limits of time."""
    engine = create_async_engine(database.url)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(statement)
    finally:
        await engine.dispose()


@pytest.fixture
async def bank(database: Database) -> Bank:
    """Three attempts that are settled and one that is open, under budgets of every scope, the last of them made late."""
    bank = Bank(database)
    for scope, id in (("user", "ann"), ("key", "k1"), ("model", "alias"), ("provider", "p")):
        await bank.budgets.set(scope, id, period="daily", limit_nanos=10**6)
    for nanos in (50, 60):
        await bank.books.settle(await bank.books.hold(intent()), charge(nanos))
    await bank.books.settle(await bank.books.hold(intent()), charge(7, "failed"))
    await bank.books.hold(intent())
    for period in ("monthly", "total"):
        await bank.budgets.set("global", "", period=period, limit_tokens=10**6)
    await bank.books.settle(await bank.books.hold(intent("bob", key_id=None, model="alias")), charge(5))
    return bank


async def test_books_that_a_ledger_wrote_balance(bank: Bank) -> None:
    found = await audit(bank.database)
    assert [[], [], [], [], []] == [check.differences for check in found]
    assert all(check.compared for check in found)


@pytest.mark.parametrize(("status", "requests"), [("complete", 4), ("failed", 3), ("abandoned", 3)])
async def test_an_attempt_in_vain_is_no_request_in_the_roll_up_nor_in_the_ledger(bank: Bank, status: Status, requests: int) -> None:
    await bank.books.settle(await bank.books.hold(intent()), charge(7, status))
    (row,) = await bank.database.read(select(func.sum(SPEND.c.requests).label("requests")))
    assert requests == row["requests"]
    assert [] == await wrong(bank.database)


async def test_nothing_balances(database: Database) -> None:
    assert [] == await wrong(database)


async def test_books_balance_over_the_end_of_a_day(bank: Bank, clock: SetClock) -> None:
    hold = await bank.books.hold(intent())
    clock.now += 86_400
    await bank.books.settle(await bank.books.hold(intent()), charge(9))
    await bank.books.settle(hold, charge(11))
    assert [] == await wrong(bank.database)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (update(SPEND).values(nanos=SPEND.c.nanos + 1), [ROLLED, SPENT]),
        (update(SPEND).values(requests=SPEND.c.requests + 1), [ROLLED]),
        (update(SPEND).values(tokens=SPEND.c.tokens + 1), [ROLLED, SPENT]),
        (delete(SPEND).where(SPEND.c.user_id == "bob"), [ROLLED, SPENT]),
        (delete(ENTRIES).where(ENTRIES.c.user_id == "bob"), [ROLLED]),
        (update(ENTRIES).values(nanos=ENTRIES.c.nanos + 1), [ROLLED]),
        (update(ENTRIES).values(nanos=-1), [ROLLED, SIGNS]),
        (update(COUNTERS).values(spent_nanos=COUNTERS.c.spent_nanos + 1), [SPENT]),
        (update(COUNTERS).values(spent_tokens=0), [SPENT]),
        (update(COUNTERS).values(held_nanos=COUNTERS.c.held_nanos + 1), [HELD]),
        (update(COUNTERS).values(held_tokens=0), [HELD]),
        (delete(HOLDS), [HELD]),
        (update(HOLDS).values(windows="[]"), [HELD]),
        (delete(BUDGETS).where(BUDGETS.c.scope == "user"), [SPENT]),
    ],
    ids=str,
)
async def test_what_does_not_balance_is_found(bank: Bank, statement: Any, found: list[int]) -> None:
    await do(bank.database, statement)
    assert found == await wrong(bank.database)


async def test_a_hold_that_is_settled_and_open_is_found(bank: Bank) -> None:
    (hold,) = await bank.rows(HOLDS)
    await do(bank.database, insert(ENTRIES).values({**ENTRY, "hold_id": hold["id"], "nanos": 0, "input": 0, "output": 0}))
    assert ONCE in await wrong(bank.database)


async def test_a_hold_with_two_rows_is_found(bank: Bank) -> None:
    """The database itself refuses them, unless it was tampered with."""
    if bank.database.is_sqlite:
        pytest.skip("SQLite does not drop a constraint")
    await do(bank.database, text("ALTER TABLE entries DROP CONSTRAINT entries_once"), update(ENTRIES).values(hold_id="one"))
    assert [ONCE] == await wrong(bank.database)


async def test_a_budget_that_was_removed_leaves_nothing_to_compare(bank: Bank) -> None:
    await bank.budgets.remove("user", "ann")
    assert [] == await wrong(bank.database)


async def test_books_balance_after_old_rows_were_deleted(database: Database) -> None:
    rows: list[Mapping[str, Any]] = [{"at": day * DAY} for day in range(1, 5)]
    await write_ledger(database, *rows)
    await put_mark(database, "exported", 3 * DAY)
    assert 2 == await prune(database, 3 * DAY)
    assert [] == await wrong(database)
    assert 2 == (await audit(database))[ROLLED].compared
    await do(database, delete(ENTRIES))
    assert [ROLLED] == await wrong(database)


async def test_what_is_here_does_not_grow_with_the_books(database: Database) -> None:
    """Five thousand rows that are all wrong, under a budget with as many counters. Dictionaries of them would take some 5 MB."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
    spend = "INSERT INTO spend (day, user_id, key_id, provider, model, asked, nanos, tokens, requests)"
    counters = "INSERT INTO counters (budget_id, window_start, spent_nanos)"
    entries = (
        "INSERT INTO entries (hold_id, kind, at, request_id, attempt, user_id, key_id, provider, model, asked, status, nanos, estimated)"
    )
    row = "'req', 1, 'user-' || i, 'key', 'p', 'm', 'm', 'complete', 1, false"
    budgets = [{"id": "b", "scope": "global", "scope_id": "", "period": "total", "created_at": 0}]
    statements: list[Any] = [
        insert(BUDGETS).values(budgets),
        text(f"{spend} {numbers} SELECT {DAY}, 'user-' || i, 'key', 'p', 'm', 'm', 7, 1, 1 FROM n"),
        text(f"{counters} {numbers} SELECT 'budget-' || i, {DAY}, 5 FROM n"),
        text(f"{entries} {numbers} SELECT 'hold-' || i, 'attempt', {DAY}, {row} FROM n"),
    ]
    await alone(database, statements)
    tracemalloc.start()
    try:
        found = await audit(database)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [5000, 5000, 0, 0, 0] == [check.wrong for check in found]
    assert [SHOWN, SHOWN, 0, 0, 0] == [len(check.differences) for check in found]
    assert 5000 <= found[ONCE].compared
    assert most < 2_000_000


async def test_only_the_first_differences_are_told() -> None:
    check = Check("x")
    for number in range(SHOWN + 5):
        check.same("a", number, -1)
    assert (SHOWN + 5, SHOWN + 5, SHOWN) == (check.compared, check.wrong, len(check.differences))
