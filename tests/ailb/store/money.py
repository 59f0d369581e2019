"""What tests about money need: intents, charges, and the books checked against each other."""

from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.ledger import Charge, Intent, Status
from ailb.rates import PER, Rates
from ailb.store.books import Books
from ailb.store.budgets import Budgets
from ailb.store.database import Database
from ailb.store.schema import BUDGETS, COUNTERS, ENTRIES, HOLDS, METADATA, SPEND
from ailb.store.windows import day
from ailb.usage import Usage

NANO_A_TOKEN = Rates(input=PER, output=PER)
"""A nano-dollar for each token, so that sums can be done in the head."""


def intent(user: str = "ann", prompt: int = 10, output: int = 90, **more: Any) -> Intent:
    given: dict[str, Any] = {"key_id": "k1", "provider": "p", "model": "m", "asked": "alias", "rates": NANO_A_TOKEN, **more}
    return Intent("req_1", 1, user, prompt_tokens=prompt, output_tokens=output, **given)


def all_of_it(user: str = "ann", prompt: int = 10, output: int = 90, **more: Any) -> Intent:
    """An intent that takes no shorter answer."""
    return intent(user, prompt, output, least_tokens=output, **more)


def charge(nanos: int, status: Status = "complete") -> Charge:
    return Charge(status, Usage(nanos, 0), nanos)


class Bank:
    """A database with its ledger and its budgets."""

    def __init__(self, database: Database, process_id: str = "p1") -> None:
        self.database = database
        self.windows = database.windows
        self.books = Books(database, process_id)
        self.budgets = Budgets(database)

    async def written(self) -> None:
        """When all is written down that was settled before."""

        async def nothing(connection: AsyncConnection) -> None:
            pass

        await self.database.write(nothing)

    async def rows(self, table: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.database.read(select(table))]

    async def check(self) -> None:
        """Entries, sums, counters and holds say the same; nothing is negative, nothing a float."""
        entries, spend, holds = await self.rows(ENTRIES), await self.rows(SPEND), await self.rows(HOLDS)
        budgets, counters = {row["id"]: row for row in await self.rows(BUDGETS)}, await self.rows(COUNTERS)
        assert len(entries) == len({row["hold_id"] for row in entries})
        assert not {row["hold_id"] for row in entries} & {row["id"] for row in holds}
        assert _by_day(entries) == _by_day(spend, "day")
        for counter in counters:
            budget = budgets[counter["budget_id"]]
            start = counter["window_start"]
            end = self.windows.end(budget["period"], start)
            mine = [row for row in spend if _pays(budget, row) and start <= row["day"] and (end is None or row["day"] < end)]
            assert counter["spent_nanos"] == sum(row["nanos"] for row in mine)
            assert counter["spent_tokens"] == sum(row["tokens"] for row in mine)
            open_ = [row for row in holds if [budget["id"], start] in orjson.loads(row["windows"])]
            assert counter["held_nanos"] == sum(row["nanos"] for row in open_)
            assert counter["held_tokens"] == sum(row["tokens"] for row in open_)
        for table in METADATA.tables.values():
            for row in await self.rows(table):
                assert not any(isinstance(value, float) or (isinstance(value, int) and value < 0) for value in row.values())


def _by_day(rows: list[dict[str, Any]], at: str = "at") -> dict[tuple[Any, ...], int]:
    sums: dict[tuple[Any, ...], int] = {}
    for row in rows:
        name = (day(row[at]), row["user_id"], row["key_id"], row["provider"], row["model"], row["asked"])
        sums[name] = sums.get(name, 0) + row["nanos"]
    return sums


def _pays(budget: dict[str, Any], row: dict[str, Any]) -> bool:
    mine = {"key": [row["key_id"]], "user": [row["user_id"]], "model": [row["model"], row["asked"]], "provider": [row["provider"]]}
    return budget["scope_id"] in mine.get(budget["scope"], [""])
