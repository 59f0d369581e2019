from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.store.budgets import Budgets
from ailb.store.counters import Budget, Counter, Counters
from ailb.store.database import Database
from ailb.store.scopes import Spender
from ailb.store.windows import DAY, Windows

ANN = ("user", "ann")
SPENDER = Spender("ann", "", "p", "m", "m")


def asking(counters: Counters, seen: list[list[Budget]]) -> Callable[[AsyncConnection], object]:
    async def work(connection: AsyncConnection) -> None:
        paying, same = await counters.paying(connection, [(SPENDER, 0), (SPENDER, DAY - 1)])
        assert paying is same
        seen.append(list(paying.budgets.values()))

    return work


async def test_a_change_of_a_budget_is_seen_in_the_next_transaction(database: Database) -> None:
    counters, budgets, seen = Counters(Windows()), Budgets(database), list[list[Budget]]()

    async def ask() -> list[int | None]:
        await database.write(asking(counters, seen))  # type: ignore[arg-type]
        return [budget.limit_nanos for budget in seen[-1]]

    assert await ask() == []
    await budgets.set(*ANN, period="daily", limit_nanos=5)
    assert await ask() == [5]
    await budgets.set(*ANN, period="daily", limit_nanos=7)
    assert await ask() == [7]
    await budgets.set("user", "bob", period="daily", limit_nanos=1)
    assert await ask() == [7]
    await budgets.remove(*ANN)
    assert await ask() == []


async def test_what_did_not_change_is_not_read_again(database: Database) -> None:
    counters, seen = Counters(Windows()), list[list[Budget]]()
    await Budgets(database).set(*ANN, period="daily", limit_nanos=5)
    await database.write(asking(counters, seen))  # type: ignore[arg-type]
    await database.write(lambda connection: connection.execute(text("UPDATE budgets SET limit_nanos = 6")))
    await database.write(asking(counters, seen))  # type: ignore[arg-type]
    assert [[5], [5]] == [[budget.limit_nanos for budget in budgets] for budgets in seen]


def test_a_counter_knows_when_it_must_be_written() -> None:
    counter = Counter()
    assert not counter.changed
    counter.hold(5, 1)
    counter.hold(-5, -1)
    counter.spend(3, 1)
    assert counter.changed
    assert counter.amounts() == {"spent_nanos": 3, "spent_tokens": 1, "held_nanos": 0, "held_tokens": 0}
