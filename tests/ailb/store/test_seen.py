"""What a hold would be, and that nobody notices who only looks."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ailb.errors import BudgetExceeded, Refusal, Unpriced
from ailb.ledger import Intent, Preview
from ailb.store.database import Database
from ailb.store.schema import COUNTERS, ENTRIES, HOLDS, METADATA, SPEND
from ailb.store.seen import seen
from tests.ailb.store.money import Bank, charge, intent


@pytest.fixture
async def bank(database: Database) -> AsyncIterator[Bank]:
    bank = Bank(database)
    yield bank
    await bank.check()


async def everything(bank: Bank) -> dict[str, list[dict[str, Any]]]:
    return {name: await bank.rows(table) for name, table in METADATA.tables.items()}


async def held(bank: Bank, asked: Intent) -> tuple[Any, ...]:
    """What a real hold has come to, or what it was refused with; it is given back."""
    try:
        hold = await bank.books.hold(asked)
    except Refusal as refusal:
        return type(refusal), ()
    await bank.books.settle(hold, charge(0))
    return (hold.nanos, hold.tokens, hold.output_tokens), hold.standings


def previewed(preview: Preview) -> tuple[Any, ...]:
    if preview.refusal is not None:
        return type(preview.refusal), ()
    return (preview.hold.nanos, preview.hold.tokens, preview.hold.output_tokens), preview.hold.standings


@pytest.mark.parametrize("asked", [intent(), intent(output=9000), intent(prompt=60, least_tokens=80), intent(rates=None), intent("bob")])
@pytest.mark.parametrize("limits", [{}, {"limit_nanos": 100}, {"limit_nanos": 120, "limit_tokens": 90}, {"limit_nanos": 5}])
async def test_it_is_what_the_hold_would_be(bank: Bank, limits: dict[str, int], asked: Intent) -> None:
    if limits:
        await bank.budgets.set("user", "ann", period="daily", **limits)
        await bank.budgets.set("key", "k1", period="total", limit_nanos=1_000_000)
        await bank.budgets.set("model", "alias", period="monthly", limit_nanos=1_000_000)
    preview = await bank.books.preview(asked)
    assert await held(bank, asked) == previewed(preview)


async def test_what_is_spent_and_held_counts(bank: Bank) -> None:
    await bank.budgets.set("key", "k1", period="total", limit_nanos=1000)
    await bank.books.settle(await bank.books.hold(intent()), charge(300))
    await bank.books.hold(intent())
    (standing,) = (await bank.books.preview(intent())).hold.standings
    assert ("key", 1000 - 300 - 100 - 100) == (standing.scope, standing.left_nanos)


async def test_a_refusal_shows_how_the_budgets_stand(bank: Bank) -> None:
    await bank.budgets.set("user", "ann", period="daily", limit_nanos=9)
    await bank.budgets.set("global", "", period="total", limit_nanos=5000, limit_tokens=70)
    preview = await bank.books.preview(intent())
    assert isinstance(preview.refusal, BudgetExceeded)
    assert [("user", 9, None), ("global", 5000, 70)] == [(one.scope, one.left_nanos, one.left_tokens) for one in preview.hold.standings]
    assert isinstance((await bank.books.preview(intent(rates=None))).refusal, Unpriced)


async def test_looking_writes_nothing(bank: Bank) -> None:
    await bank.budgets.set("user", "ann", period="daily", limit_nanos=1000)
    await bank.books.settle(await bank.books.hold(intent()), charge(10))
    await bank.budgets.set("key", "k1", period="weekly", limit_nanos=500)  # which has no counter yet
    before = await everything(bank)
    assert before["counters"]
    for _ in range(3):
        await bank.books.preview(intent())
    assert before == await everything(bank)
    assert {"holds", "entries", "spend", "counters"} == {table.name for table in (HOLDS, ENTRIES, SPEND, COUNTERS)} & before.keys()


async def test_only_the_budgets_that_would_pay_are_seen(bank: Bank) -> None:
    for scope, scope_id in (("user", "ann"), ("user", "bob"), ("provider", "p"), ("provider", "q"), ("model", "m"), ("key", "k2")):
        await bank.budgets.set(scope, scope_id, period="total", limit_nanos=1000)
    assert [("user", "ann"), ("model", "m"), ("provider", "p")] == [
        (budget.scope, budget.scope_id) for budget, _ in await seen(bank.database, intent())
    ]
