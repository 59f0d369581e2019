"""Proves that the books balance: everything that is said twice in the database is said alike.

The database is read as of one instant, beside gateways that go on writing, and without the time limits that protect those.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import BigInteger, Executable, NullPool, and_, case, func, literal_column, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ailb.store.database import Database
from ailb.store.schema import BUDGETS, COUNTERS, ENTRIES, HOLDS, PROCESSES, REVISIONS, SPEND
from ailb.store.windows import DAY, Windows
from ailb.store.writer import down, is_down

NAMES: Final = ("user_id", "key_id", "provider", "model", "asked")
SHOWN: Final = 20
"""Differences of one comparison that are told; a broken roll-up would have millions."""


class Amount(NamedTuple):
    nanos: int = 0
    tokens: int = 0
    requests: int = 0


@dataclass(slots=True)
class Check:
    """One comparison: what was compared, how often, and where it differs, the first few in words."""

    name: str
    compared: int = 0
    wrong: int = 0
    differences: list[str] = field(default_factory=list)

    def same(self, what: str, left: object, right: object) -> None:
        self.compared += 1
        if left != right:
            self.wrong += 1
            if self.wrong <= SHOWN:
                self.differences.append(f"{what}: {left} is not {right}")


Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is compared, as of one instant. `entries` and `spend` are by (day, *NAMES)."""

    entries: Mapping[Key, Amount]
    spend: Mapping[Key, Amount]
    budgets: Sequence[RowMapping]
    counters: Sequence[RowMapping]
    holds: Sequence[RowMapping]
    negative: Sequence[RowMapping]
    twice: Sequence[RowMapping]
    settled: Sequence[RowMapping]
    rows: int
    pruned: int
    running: Mapping[str, int] | None
    """Nano-dollars by provider since the gateway started; None where not exactly one is alive."""


async def read(database: Database) -> Books:
    """Raises Unavailable."""
    engine = create_async_engine(database.url, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            if database.is_sqlite:
                await connection.exec_driver_sql("BEGIN")  # the driver begins none for what only reads
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            return await _books(connection)
    # Drivers raise what they like when a server goes away.
    except Exception as error:
        if is_down(error):
            raise down(error) from error
        raise
    finally:
        await engine.dispose()


def checks(books: Books) -> list[Check]:
    return [_rolled_up(books), _spent(books), _held(books), _signs(books), _once(books)]


def _rolled_up(books: Books) -> Check:
    check = Check("ledger = roll-up, by day, user, key, provider and model")
    kept = {key: amount for key, amount in books.spend.items() if key[0] >= books.pruned}
    rows = {key: amount for key, amount in books.entries.items() if key[0] >= books.pruned}
    for key in sorted(kept.keys() | rows.keys()):
        check.same(str(key), rows.get(key, Amount()), kept.get(key, Amount()))
    return check


def _spent(books: Books) -> Check:
    """Also of windows that are over: a counter is never forgotten before its budget."""
    check = Check("roll-up = spent, by budget and window")
    budgets = {row["id"]: row for row in books.budgets}
    days = _by_scope(books.spend)
    windows = Windows()
    for counter in books.counters:
        budget = budgets.get(counter["budget_id"])
        if budget is None:
            check.same(f"counter of {counter['budget_id']}", "a budget", "there")
            continue
        start = counter["window_start"]
        end = windows.end(budget["period"], start)
        mine = [amount for day, amount in days[budget["scope"], budget["scope_id"]].items() if start <= day and (end is None or day < end)]
        found = (sum(amount.nanos for amount in mine), sum(amount.tokens for amount in mine))
        check.same(_place(budget, start), found, (counter["spent_nanos"], counter["spent_tokens"]))
    return check


def _held(books: Books) -> Check:
    check = Check("open holds = held, by budget and window")
    held: dict[Key, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for hold in books.holds:
        for place in orjson.loads(hold["windows"]):
            nanos, tokens = held[tuple(place)]
            held[tuple(place)] = (nanos + hold["nanos"], tokens + hold["tokens"])
    counted = {(row["budget_id"], row["window_start"]): (row["held_nanos"], row["held_tokens"]) for row in books.counters}
    budgets = {row["id"]: row for row in books.budgets}
    for id, start in sorted(held.keys() | counted.keys()):
        if id in budgets:  # a hold may outlive a budget, which takes its counters along
            check.same(_place(budgets[id], start), held.get((id, start), (0, 0)), counted.get((id, start), (0, 0)))
    return check


def _signs(books: Books) -> Check:
    """A day's sum may fall below zero only where a correction of that day is about another day's attempt."""
    check = Check("nothing is negative")
    for counter in books.counters:
        for name in ("spent_nanos", "spent_tokens", "held_nanos", "held_tokens"):
            check.same(f"{name} of {counter['budget_id']}", min(counter[name], 0), 0)
    for row in books.negative:
        check.same(f"row {row['id']}", row["nanos"], "0 or more")
    return check


def _once(books: Books) -> Check:
    check = Check("one row for each hold, and none for one that is open")
    check.compared = books.rows
    for row in books.twice:
        check.same(f"rows of hold {row['hold_id']}", row["n"], 1)
    for row in books.settled:
        check.same(f"open hold {row['hold_id']}", "a row", "none")
    return check


def _by_scope(spend: Mapping[Key, Amount]) -> Mapping[Key, Mapping[int, Amount]]:
    """What counts for a scope, by day. A model's budget is for its name at the provider and for the one that clients use."""
    days: dict[Key, dict[int, Amount]] = defaultdict(lambda: defaultdict(Amount))
    for (day, user, key, provider, model, asked), amount in spend.items():
        for scope in {("user", user), ("key", key), ("provider", provider), ("model", model), ("model", asked), ("global", "")}:
            old = days[scope][day]
            days[scope][day] = Amount(*(left + right for left, right in zip(old, amount, strict=True)))
    return days


def _place(budget: RowMapping, start: int) -> str:
    return f"{budget['scope']} {budget['scope_id']} {budget['period']} from {datetime.fromtimestamp(start // 1_000_000, UTC):%Y-%m-%d}"


async def _books(connection: AsyncConnection) -> Books:
    async def rows(statement: Executable) -> Sequence[RowMapping]:
        return (await connection.execute(statement)).mappings().all()

    day = (ENTRIES.c.at - ENTRIES.c.at % literal_column(str(DAY), BigInteger)).label("day")
    names = [ENTRIES.c[name] for name in NAMES]
    tokens = func.sum(ENTRIES.c.input + ENTRIES.c.output).label("tokens")
    ended = and_(ENTRIES.c.kind == "attempt", ENTRIES.c.status != "failed")
    requests = func.sum(case((ended, 1), else_=0)).label("requests")
    entries = select(day, *names, func.sum(ENTRIES.c.nanos).label("nanos"), tokens, requests).group_by(day, *names)
    number = func.count().label("n")
    started = await rows(select(PROCESSES.c.started_at))
    since = started[0]["started_at"] if started else 0
    running = select(ENTRIES.c.provider, func.sum(ENTRIES.c.nanos).label("nanos")).where(ENTRIES.c.at >= since).group_by(ENTRIES.c.provider)
    pruned = await rows(select(REVISIONS.c.number).where(REVISIONS.c.name == "pruned"))
    return Books(
        entries=_amounts(await rows(entries)),
        spend=_amounts(await rows(select(SPEND))),
        budgets=await rows(select(BUDGETS)),
        counters=await rows(select(COUNTERS)),
        holds=await rows(select(HOLDS.c.id, HOLDS.c.nanos, HOLDS.c.tokens, HOLDS.c.windows)),
        negative=await rows(select(ENTRIES.c.id, ENTRIES.c.nanos).where(ENTRIES.c.kind == "attempt", ENTRIES.c.nanos < 0)),
        twice=await rows(
            select(ENTRIES.c.hold_id, number).where(ENTRIES.c.kind == "attempt").group_by(ENTRIES.c.hold_id).having(number > 1)
        ),
        settled=await rows(select(ENTRIES.c.hold_id).join(HOLDS, HOLDS.c.id == ENTRIES.c.hold_id).where(ENTRIES.c.kind == "attempt")),
        rows=int((await rows(select(number).select_from(ENTRIES)))[0]["n"]),
        pruned=int(pruned[0]["number"]) if pruned else 0,
        running={row["provider"]: int(row["nanos"]) for row in await rows(running)} if len(started) == 1 else None,
    )


def _amounts(rows: Iterable[RowMapping]) -> dict[Key, Amount]:
    return {
        (row["day"], *(row[name] for name in NAMES)): Amount(int(row["nanos"]), int(row["tokens"]), int(row["requests"])) for row in rows
    }
