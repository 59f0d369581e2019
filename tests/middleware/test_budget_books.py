"""The layer on the real ledger: whenever somebody leaves, the books are right."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from ailb.errors import UpstreamBroken, UpstreamRefusal
from ailb.exchange import Exchange, Outcome
from ailb.stack import stack
from ailb.store.schema import ENTRIES, HOLDS
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.made import made, patient
from tests.ailb.store.money import Bank
from tests.middleware.paying import COST, House, Pessimist, Scripted, asking, chunks, prompt_bound


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    async with patient(made(tmp_path), SetClock()) as database:
        await database.prepare()
        bank = Bank(database)
        yield bank
        await bank.check()
        assert [] == await bank.rows(HOLDS)


def house(bank: Bank, **providers: Scripted) -> House:
    made = House(**providers)
    made.ledger = bank.books  # type: ignore[assignment]
    for provider in providers.values():
        provider.ledger = None
    return made


def ann(number: int = 0, **body: object) -> Exchange:
    exchange = asking(max_tokens=5, **body)
    exchange.id, exchange.caller.user = f"req_{number}", "ann"
    return exchange


async def test_every_attempt_has_its_row(bank: Bank) -> None:
    await bank.budgets.set("user", "ann", period="total", limit_nanos=10**6)
    exchange = ann()
    await house(bank, a=Scripted(UpstreamRefusal(500, "down")), b=Scripted(chunks("Hi"))).serve(exchange)
    await bank.written()
    rows = [(row["attempt"], row["provider"], row["status"], row["nanos"]) for row in await bank.rows(ENTRIES)]
    assert [(1, "a", "failed", 0), (2, "b", "complete", COST)] == rows
    assert COST == exchange.cost


async def test_a_budget_lets_through_what_it_can_pay_for(bank: Bank) -> None:
    serving = house(bank, a=Scripted(chunks("Hi")))
    serving.counter = Pessimist()
    hold = prompt_bound(ann()) + 2
    await bank.budgets.set("user", "ann", period="total", limit_nanos=hold + 9 * COST)
    results = [await serving.serve(ann(number)) for number in range(20)]
    assert [10, 10] == [sum(result.outcome.status == status for result in results) for status in ("complete", "refused")]


async def leaving(serving: House, exchange: Exchange, turns: int) -> None:
    """The client leaves after so many turns of the event loop; settled as the edge does it."""
    layers, innermost = serving.layers()

    async def read() -> None:
        async for _ in await stack(layers, innermost)(exchange):
            await asyncio.sleep(0)

    task = asyncio.ensure_future(read())
    for _ in range(turns):
        await asyncio.sleep(0)
    status = "complete" if task.done() else "disconnected"
    task.cancel()
    await asyncio.wait([task])
    for settler in reversed(exchange.settlers):
        waiting = settler(Outcome(status, 200, 0.0))  # type: ignore[arg-type]
        if waiting is not None:
            await waiting


async def test_whenever_a_client_leaves_the_books_are_right(bank: Bank) -> None:
    await bank.budgets.set("user", "ann", period="total", limit_nanos=10**7)
    await bank.budgets.set("global", "", period="daily", limit_tokens=10**7)
    dice = Random(7)
    serving = house(bank, a=Scripted(UpstreamBroken("html"), chunks("Hi"), chunks("Hi", usage=None)), b=Scripted(chunks("Hi", "you")))
    exchanges = [ann(number) for number in range(150)]
    early = [leaving(serving, exchange, dice.choice((1, 3, 10, 30, 100, 300, 1000))) for exchange in exchanges[50:]]
    await asyncio.gather(*early, *(serving.serve(exchange, leave_after=2) for exchange in exchanges[:50]))
    await bank.written()
    entries = await bank.rows(ENTRIES)
    assert sum(exchange.cost or 0 for exchange in exchanges) == sum(row["nanos"] for row in entries)
    assert "disconnected" in {row["status"] for row in entries}
