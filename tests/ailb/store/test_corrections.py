from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import BudgetExceeded, Conflict, NotFound
from ailb.ledger import Hold
from ailb.store.audit import audit
from ailb.store.corrections import MOST_REASON, Correction, correct
from ailb.store.database import Database
from ailb.store.prune import mark, put_mark
from ailb.store.schema import BUDGETS, COUNTERS, ENTRIES, REVISIONS, SPEND
from ailb.store.windows import DAY, PERIODS, day
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.money import Bank, all_of_it, charge, intent


@pytest.fixture
async def bank(database: Database) -> Bank:
    """Rows 1 (of 50) and 2 (of 60) of ann's, row 3 (of 5) of bob's; budgets of every scope and period."""
    bank = Bank(database)
    for scope, id in (
        ("user", "ann"),
        ("user", "bob"),
        ("key", "k1"),
        ("model", "alias"),
        ("model", "m"),
        ("provider", "p"),
        ("global", ""),
    ):
        for period in PERIODS:
            await bank.budgets.set(scope, id, period=period, limit_nanos=10**6)
    for nanos in (50, 60):
        await bank.books.settle(await bank.books.hold(intent()), charge(nanos))
    await bank.books.settle(await bank.books.hold(intent("bob", key_id=None)), charge(5))
    return bank


async def balanced(database: Database) -> None:
    assert [] == [difference for check in await audit(database) for difference in check.differences]


async def do(database: Database, *statements: Any) -> None:
    async def work(connection: AsyncConnection) -> None:
        for statement in statements:
            await connection.execute(statement)

    await database.write(work)


async def spent(bank: Bank) -> dict[str, set[int]]:
    """What the counters of each scope have; those of its periods are to be the same."""
    budgets = {row["id"]: row for row in await bank.rows(BUDGETS)}
    found: dict[str, set[int]] = {}
    for row in await bank.rows(COUNTERS):
        budget = budgets[row["budget_id"]]
        found.setdefault(" ".join((budget["scope"], budget["scope_id"])).strip(), set()).add(row["spent_nanos"])
    return found


@pytest.mark.parametrize("nanos", [0, 20, 50_000])
async def test_a_row_costs_what_it_should_have(bank: Bank, clock: SetClock, nanos: int) -> None:
    clock.now += 60
    before = (await bank.rows(ENTRIES))[0]
    assert Correction(4, nanos - 50) == await correct(bank.database, 1, nanos, "a wrong price")
    first, _, bobs, new = await bank.rows(ENTRIES)
    assert before == first
    names = ("at", "request_id", "attempt", "user_id", "key_id", "provider", "model", "asked", "session_id", "status")
    assert {name: first[name] for name in names} == {name: new[name] for name in names}
    told = ("correction", nanos - 50, 1, "a wrong price", bank.database.micros(), 0, 0)
    assert told == tuple(new[name] for name in ("kind", "nanos", "corrects", "reason", "corrected_at", "input", "output"))
    assert {"ann": nanos + 60, "bob": 5} == {row["user_id"]: row["nanos"] for row in await bank.rows(SPEND)}
    assert {"ann": 2, "bob": 1} == {row["user_id"]: row["requests"] for row in await bank.rows(SPEND)}
    mine, all = {nanos + 60}, {nanos + 65}
    assert {
        "user ann": mine,
        "key k1": mine,
        "user bob": {5},
        **dict.fromkeys(("model alias", "model m", "provider p", "global"), all),
    } == (await spent(bank))
    await balanced(bank.database)
    assert bobs["nanos"] == 5


async def test_it_can_be_corrected_again_and_the_same_again_changes_nothing(bank: Bank) -> None:
    found = [(await correct(bank.database, 1, nanos)).nanos for nanos in (0, 0, 70, 70, 50)]
    assert [-50, 0, 70, 0, -20] == found
    assert Correction(None, 0) == await correct(bank.database, 1, 50)
    assert 6 == len(await bank.rows(ENTRIES))
    await balanced(bank.database)


async def test_it_counts_when_the_row_counted(bank: Bank, clock: SetClock) -> None:
    clock.now += 40 * 86_400
    await bank.books.settle(await bank.books.hold(intent()), charge(7))
    await correct(bank.database, 1, 10)
    assert {7, 77, 70} == (await spent(bank))["user ann"]
    await balanced(bank.database)


async def test_what_is_given_back_can_be_spent(database: Database) -> None:
    bank = Bank(database)
    await bank.budgets.set("user", "ann", period="daily", limit_nanos=100)
    await bank.books.settle(await bank.books.hold(all_of_it()), charge(100))
    with pytest.raises(BudgetExceeded):
        await bank.books.hold(all_of_it())
    await correct(database, 1, 0)
    assert isinstance(await bank.books.hold(all_of_it()), Hold)
    await balanced(database)


@pytest.mark.parametrize("id", [0, -1, 99, 2**63 - 1, 2**63])
async def test_an_unknown_row_is_refused(bank: Bank, id: int) -> None:
    with pytest.raises(NotFound, match=f"no row {id} is in the ledger"):
        await correct(bank.database, id, 1)
    assert 3 == len(await bank.rows(ENTRIES))


async def test_a_correction_is_not_corrected(bank: Bank) -> None:
    await correct(bank.database, 2, 1)
    with pytest.raises(Conflict, match="row 4 is a correction itself: correct row 2"):
        await correct(bank.database, 4, 1)


async def test_a_row_that_is_being_pruned_is_refused(bank: Bank) -> None:
    await put_mark(bank.database, "pruned", day(bank.database.micros()) + DAY)
    with pytest.raises(Conflict, match="about to be deleted"):
        await correct(bank.database, 1, 1)


@pytest.mark.parametrize(
    ("harm", "problem"),
    [(update(COUNTERS).values(spent_nanos=0), "do not balance; ask ailb audit"), (delete(SPEND), "the roll-up does not have it")],
    ids=["counters", "roll-up"],
)
async def test_books_that_do_not_balance_are_left_as_they_are(bank: Bank, harm: Any, problem: str) -> None:
    await do(bank.database, harm)
    with pytest.raises(Conflict, match=problem):
        await correct(bank.database, 1, 1)
    assert 3 == len(await bank.rows(ENTRIES))


async def test_what_was_exported_is_to_be_exported_again(bank: Bank) -> None:
    today = day(bank.database.micros())
    await put_mark(bank.database, "exported", today + 3 * DAY)
    await correct(bank.database, 1, 1)
    assert today == await mark(bank.database, "exported")
    await do(bank.database, update(REVISIONS).where(REVISIONS.c.name == "exported").values(number=today - DAY))
    await correct(bank.database, 1, 2)
    assert today - DAY == await mark(bank.database, "exported")


async def test_a_reason_that_no_database_takes(bank: Bank) -> None:
    await correct(bank.database, 1, 1, "a\0b\udc80" + "x" * MOST_REASON)
    reason = (await bank.rows(ENTRIES))[-1]["reason"]
    assert ("a?b?", MOST_REASON) == (reason[:4], len(reason))


@pytest.mark.parametrize(
    "harm",
    [
        update(ENTRIES).where(ENTRIES.c.kind == "correction").values(nanos=-51),
        update(ENTRIES).where(ENTRIES.c.kind == "correction").values(corrects=99),
        update(ENTRIES).where(ENTRIES.c.kind == "correction").values(corrects=None),
    ],
    ids=["below zero", "of no row", "of nothing"],
)
async def test_the_audit_finds_a_correction_that_is_none(bank: Bank, harm: Any) -> None:
    await correct(bank.database, 1, 10)
    await do(bank.database, harm)
    assert any("with its corrections" in difference for check in await audit(bank.database) for difference in check.differences)
