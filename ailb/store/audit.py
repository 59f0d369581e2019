"""Proves that the books balance: everything that is said twice in the database is said alike.

The database is read as of one instant, beside gateways that go on writing, and without the time limits that protect those. It does the
adding up and the comparing itself: here arrive sums, the first few differences, and of everything else no more than the open holds.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import BigInteger, ColumnElement, NullPool, Select, String, and_, case, func, literal_column, or_, select, true, union_all
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ailb.ledger import VAIN
from ailb.store.database import Database
from ailb.store.schema import BUDGETS, COUNTERS, ENTRIES, HOLDS, REVISIONS, SPEND
from ailb.store.windows import DAY, Period, Windows
from ailb.store.writer import down, is_down

NAMES: Final = ("user_id", "key_id", "provider", "model", "asked")
SHOWN: Final = 20
"""Differences of one comparison that are told; a broken roll-up would have millions."""

AT_ONCE: Final = 1000
"""Rows that are here at the same time, where it is rows."""

_AMOUNTS: Final = ("nanos", "tokens", "requests")
_OF_BUDGET: Final = COUNTERS.c.budget_id == BUDGETS.c.id
_ZERO: Final[ColumnElement[int]] = literal_column("0", BigInteger)
_COLUMNS: Final = {"user": ("user_id",), "key": ("key_id",), "provider": ("provider",), "model": ("model", "asked"), "global": ()}
"""Where a scope's id stands in the roll-up. A model's budget is for its name at the provider and for the one that clients use."""


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
            if len(self.differences) < SHOWN:
                self.differences.append(f"{what}: {left} is not {right}")


async def audit(database: Database) -> list[Check]:
    """Raises Unavailable."""
    async with one_instant(database) as connection:
        checks = (_rolled_up, _spent, _held, _signs, _once)
        return [await check(connection) for check in checks]


@asynccontextmanager
async def one_instant(database: Database) -> AsyncIterator[AsyncConnection]:
    """A connection to which nothing changes any more. Raises Unavailable."""
    engine = create_async_engine(database.url, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            if database.is_sqlite:
                await connection.exec_driver_sql("BEGIN")  # the driver begins none for what only reads
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection
    # Drivers raise what they like when a server goes away.
    except Exception as error:
        if is_down(error):
            raise down(error) from error
        raise
    finally:
        await engine.dispose()


async def _rolled_up(connection: AsyncConnection) -> Check:
    check = Check("ledger = roll-up, by day, user, key, provider and model")
    pruned = await connection.scalar(select(REVISIONS.c.number).where(REVISIONS.c.name == "pruned")) or 0
    day = ENTRIES.c.at - ENTRIES.c.at % literal_column(str(DAY), BigInteger)
    ended = and_(ENTRIES.c.kind == "attempt", ENTRIES.c.status.not_in(VAIN))
    entries = (ENTRIES.c.nanos, ENTRIES.c.input + ENTRIES.c.output, case((ended, 1), else_=0))
    spend, nothing = [SPEND.c[name] for name in _AMOUNTS], [_ZERO] * len(_AMOUNTS)
    both = union_all(
        select(day.label("day"), *(ENTRIES.c[name] for name in NAMES), *_sides(entries, nothing)).where(ENTRIES.c.at >= pruned),
        select(SPEND.c.day, *(SPEND.c[name] for name in NAMES), *_sides(nothing, spend)).where(SPEND.c.day >= pruned),
    ).subquery()
    keys = [both.c[name] for name in ("day", *NAMES)]
    left, right = ([func.sum(both.c[f"{side}_{name}"]) for name in _AMOUNTS] for side in ("left", "right"))
    pairs = select(*keys, *_sides(left, right)).group_by(*keys)
    await _compare(connection, check, pairs, lambda row: str(tuple(row[name] for name in ("day", *NAMES))))
    return check


async def _spent(connection: AsyncConnection) -> Check:
    """Also of windows that are over: a counter is never forgotten before its budget. Those of all budgets that have the same scope and
    window are compared at once; there are no more such windows than the calendar has.
    """
    check = Check("roll-up = spent, by budget and window")
    windows = select(BUDGETS.c.scope, BUDGETS.c.period, COUNTERS.c.window_start).distinct().join_from(COUNTERS, BUDGETS, _OF_BUDGET)
    for scope, period, start in (await connection.execute(windows)).all():
        await _compare(connection, check, _window(scope, period, start), _place)
    lost = case((BUDGETS.c.id.is_(None), 1), else_=0)
    counters = select(COUNTERS.c.budget_id, lost.label("wrong")).join_from(COUNTERS, BUDGETS, _OF_BUDGET, isouter=True)
    await _find(connection, check, counters, lambda row: f"counter of {row['budget_id']}: its budget is not there")
    return check


async def _held(connection: AsyncConnection) -> Check:
    check = Check("open holds = held, by budget and window")
    held: dict[tuple[str, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
    async for hold in _stream(connection, select(HOLDS.c.nanos, HOLDS.c.tokens, HOLDS.c.windows)):
        for budget, start in orjson.loads(hold["windows"]):
            nanos, tokens = held[budget, start]
            held[budget, start] = (nanos + hold["nanos"], tokens + hold["tokens"])
    counters = select(COUNTERS, BUDGETS.c.scope, BUDGETS.c.scope_id, BUDGETS.c.period).join_from(COUNTERS, BUDGETS, _OF_BUDGET)
    async for row in _stream(connection, counters):
        found = held.pop((row["budget_id"], row["window_start"]), (0, 0))
        check.same(_place(row), found, (row["held_nanos"], row["held_tokens"]))
    for (id, start), found in held.items():
        budget = (await connection.execute(select(BUDGETS).where(BUDGETS.c.id == id))).mappings().first()
        if budget is not None:  # a hold may outlive a budget, which takes its counters along
            check.same(_place({**budget, "window_start": start}), found, (0, 0))
    return check


async def _signs(connection: AsyncConnection) -> Check:
    check = Check("nothing is negative")
    names = ("spent_nanos", "spent_tokens", "held_nanos", "held_tokens")
    below = case((or_(*(COUNTERS.c[name] < 0 for name in names)), 1), else_=0)
    counters = select(COUNTERS, below.label("wrong"))
    await _find(connection, check, counters, lambda row: f"counter of {row['budget_id']}: {[row[name] for name in names]}")
    below = case((ENTRIES.c.nanos < 0, 1), else_=0)
    attempts = select(ENTRIES.c.id, ENTRIES.c.nanos, below.label("wrong")).where(ENTRIES.c.kind == "attempt")
    await _find(connection, check, attempts, lambda row: f"row {row['id']}: {row['nanos']} is not 0 or more")
    await _find(connection, check, _corrected(), lambda row: f"row {row['corrects']} with its corrections: {row['nanos']} is not 0 or more")
    return check


async def _once(connection: AsyncConnection) -> Check:
    check = Check("one row for each hold, and none for one that is open")
    number, attempt = func.count(), ENTRIES.c.kind == "attempt"
    wrong = case((number > 1, 1), else_=0).label("wrong")
    rows = select(ENTRIES.c.hold_id, number.label("n"), wrong).where(attempt).group_by(ENTRIES.c.hold_id)
    await _find(connection, check, rows, lambda row: f"rows of hold {row['hold_id']}: {row['n']} is not 1")
    settled = case((ENTRIES.c.id.is_not(None), 1), else_=0).label("wrong")
    holds = select(HOLDS.c.id, settled).join_from(HOLDS, ENTRIES, and_(ENTRIES.c.hold_id == HOLDS.c.id, attempt), isouter=True)
    await _find(connection, check, holds, lambda row: f"open hold {row['id']}: has a row")
    return check


def _corrected() -> Select[Any]:
    """What rows come to with their corrections; None of a row that is not there. Those that are being pruned may be there in part."""
    entry, correction = ENTRIES.alias(), ENTRIES.alias()
    pruned = func.coalesce(select(REVISIONS.c.number).where(REVISIONS.c.name == "pruned").scalar_subquery(), _ZERO)
    total = func.max(entry.c.nanos) + func.sum(correction.c.nanos)
    wrong = case((total >= 0, 0), else_=1).label("wrong")
    same = and_(entry.c.id == correction.c.corrects, entry.c.at == correction.c.at, entry.c.kind == "attempt")
    rows = select(correction.c.corrects, total.label("nanos"), wrong).join_from(correction, entry, same, isouter=True)
    return rows.where(correction.c.kind == "correction", correction.c.at >= pruned).group_by(correction.c.corrects)


def _window(scope: str, period: Period, start: int) -> Select[Any]:
    """For each budget of that scope what the roll-up has, and what its counter has."""
    end = Windows().end(period, start)
    within = and_(SPEND.c.day >= start, true() if end is None else SPEND.c.day < end)
    ids: list[ColumnElement[str]] = [SPEND.c[name] for name in _COLUMNS[scope]]
    first, *others = ids or [literal_column("''", String)]
    parts = [select(first.label("id"), SPEND.c.nanos, SPEND.c.tokens).where(within)]
    parts += [select(other.label("id"), SPEND.c.nanos, SPEND.c.tokens).where(within, other != first) for other in others]
    rows = union_all(*parts).subquery()
    sums = select(rows.c.id, func.sum(rows.c.nanos).label("nanos"), func.sum(rows.c.tokens).label("tokens")).group_by(rows.c.id).subquery()
    found = [func.coalesce(sums.c.nanos, _ZERO), func.coalesce(sums.c.tokens, _ZERO)]
    counted = [COUNTERS.c.spent_nanos, COUNTERS.c.spent_tokens]
    return (
        select(BUDGETS.c.scope, BUDGETS.c.scope_id, BUDGETS.c.period, COUNTERS.c.window_start, *_sides(found, counted))
        .join_from(COUNTERS, BUDGETS, _OF_BUDGET)
        .join(sums, sums.c.id == BUDGETS.c.scope_id, isouter=True)
        .where(BUDGETS.c.scope == scope, BUDGETS.c.period == period, COUNTERS.c.window_start == start)
    )


def _sides(left: Sequence[ColumnElement[Any]], right: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """What is to be the same, under the names that `_compare` knows."""
    pairs = list(zip(_AMOUNTS, left, right, strict=False))
    return [one.label(f"left_{name}") for name, one, _ in pairs] + [other.label(f"right_{name}") for name, _, other in pairs]


async def _compare(connection: AsyncConnection, check: Check, pairs: Select[Any], what: Callable[[RowMapping], str]) -> None:
    sub = pairs.subquery()
    names = [name for name in _AMOUNTS if f"left_{name}" in sub.c]
    differ = case((or_(*(sub.c[f"left_{name}"] != sub.c[f"right_{name}"] for name in names)), 1), else_=0)

    def tell(row: RowMapping) -> str:
        left, right = (Amount(*(int(row[f"{side}_{name}"]) for name in names)) for side in ("left", "right"))
        return f"{what(row)}: {left} is not {right}"

    await _find(connection, check, select(sub, differ.label("wrong")), tell)


async def _find(connection: AsyncConnection, check: Check, rows: Select[Any], tell: Callable[[RowMapping], str]) -> None:
    """Counts the rows, and those whose column `wrong` is 1, and tells the first of these."""
    sub = rows.subquery()
    compared, wrong = (await connection.execute(select(func.count(), func.coalesce(func.sum(sub.c.wrong), 0)))).one()
    check.compared += compared
    check.wrong += int(wrong)
    if wrong and (room := SHOWN - len(check.differences)) > 0:
        first = select(sub).where(sub.c.wrong == 1).order_by(*sub.c).limit(room)
        check.differences += [tell(row) for row in (await connection.execute(first)).mappings()]


async def _stream(connection: AsyncConnection, statement: Select[Any]) -> AsyncIterator[RowMapping]:
    async with connection.stream(statement, execution_options={"yield_per": AT_ONCE}) as result:
        async for row in result.mappings():
            yield row


def _place(row: Mapping[Any, Any]) -> str:
    start = datetime.fromtimestamp(row["window_start"] // 1_000_000, UTC)
    return f"{row['scope']} {row['scope_id']} {row['period']} from {start:%Y-%m-%d}"
