"""What budgets have spent and promised, in the transaction of the writer: there is only one at a time, whoever it is that writes.

Budgets are remembered between transactions for as long as their revision stays the same, which
is asked for in each: no change is ever missed, and no budget is read twice.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from secrets import randbits
from typing import Any, Final

import orjson
from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, cast, func, insert, or_, select, text, true, tuple_, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.store.many import Listed, Many
from ailb.store.schema import BUDGETS, COUNTERS, HOLDS, SPEND
from ailb.store.scopes import Scope, Spender, scopes
from ailb.store.windows import DAY, Period, Windows

_MOST_REMEMBERED: Final = 50_000
_PPM: Final = 1_000_000
_REVISION: Final = "SELECT number FROM revisions WHERE name = 'budgets'"
_BUDGETS: Final = select(BUDGETS).where(tuple_(BUDGETS.c.scope, BUDGETS.c.scope_id).in_(bindparam("scopes", expanding=True)))
_COUNTERS: Final = Listed(
    select(COUNTERS).where(
        COUNTERS.c.budget_id.in_(bindparam("budgets", expanding=True)), COUNTERS.c.window_start.in_(bindparam("starts", expanding=True))
    ),
    "budgets",
    "starts",
)
_BUDGET: Final = ("id", "scope", "scope_id", "period", "limit_nanos", "limit_tokens", "soft_limit_ppm")
_AMOUNTS: Final = ("spent_nanos", "spent_tokens", "held_nanos", "held_tokens")
_SAVE: Final = Many(
    update(COUNTERS)
    .where(COUNTERS.c.budget_id == bindparam("budget"), COUNTERS.c.window_start == bindparam("start"))
    .values({name: bindparam(f"new_{name}") for name in _AMOUNTS}),
    ("budget", "start", *(f"new_{name}" for name in _AMOUNTS)),
)
_MARK: Final = update(HOLDS).where(HOLDS.c.id == bindparam("hold")).values(windows=bindparam("marked"))
_BUMP: Final = text(
    "INSERT INTO revisions (name, number) VALUES ('budgets', :number) ON CONFLICT (name) DO UPDATE SET number = excluded.number"
)


@dataclass(frozen=True, slots=True)
class Budget:
    """A row of `budgets`, as far as money needs it."""

    id: str
    scope: str
    scope_id: str
    period: Period
    limit_nanos: int | None
    limit_tokens: int | None
    soft_limit_ppm: int

    @staticmethod
    def of(row: RowMapping) -> "Budget":
        return Budget(**{name: row[BUDGETS.c[name]] for name in _BUDGET})

    def left(self, counter: "Counter") -> tuple[int | None, int | None]:
        """Nano-dollars and tokens; None where there is no such limit."""
        nanos, tokens = self.limit_nanos, self.limit_tokens
        return (
            None if nanos is None else nanos - counter.spent_nanos - counter.held_nanos,
            None if tokens is None else tokens - counter.spent_tokens - counter.held_tokens,
        )

    def warns(self, counter: "Counter") -> bool:
        """Whether spent and held have passed the soft limit."""
        nanos, tokens, soft = self.limit_nanos, self.limit_tokens, self.soft_limit_ppm
        return (nanos is not None and (counter.spent_nanos + counter.held_nanos) * _PPM >= nanos * soft) or (
            tokens is not None and (counter.spent_tokens + counter.held_tokens) * _PPM >= tokens * soft
        )


@dataclass(slots=True)
class Counter:
    """A row of `counters`."""

    spent_nanos: int = 0
    spent_tokens: int = 0
    held_nanos: int = 0
    held_tokens: int = 0
    changed: bool = field(default=False, compare=False)

    @staticmethod
    def of(row: RowMapping) -> "Counter":
        return Counter(**{name: row[COUNTERS.c[name]] for name in _AMOUNTS})

    def amounts(self) -> dict[str, int]:
        """By the names of the columns."""
        return {name: getattr(self, name) for name in _AMOUNTS}

    def hold(self, nanos: int, tokens: int) -> None:
        """Negative amounts give back."""
        self.held_nanos += nanos
        self.held_tokens += tokens
        self.changed = True

    def spend(self, nanos: int, tokens: int) -> None:
        self.spent_nanos += nanos
        self.spent_tokens += tokens
        self.changed = True


Place = tuple[str, int]
"""Which counter: the budget's id and the start of the window."""


@dataclass(frozen=True, slots=True, eq=False)
class Paying:
    """The counters of what somebody spends on some day, each with its budget; `windows` is how a hold writes them down."""

    spender: Spender
    day: int
    budgets: Mapping[Place, Budget]
    windows: str


class Counters:
    """The counters that a transaction needs, read at once and written at once."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self._revision: Any = ()
        self._known: dict[Scope, tuple[Budget, ...]] = {}
        self._paying: dict[tuple[Spender, int], Paying] = {}

    async def paying(self, connection: AsyncConnection, spent: Iterable[tuple[Spender, int]]) -> list[Paying]:
        """What pays for each, by who spends it and when, as the budgets are in this transaction."""
        revision = (await connection.exec_driver_sql(_REVISION)).fetchone()
        if revision != self._revision or len(self._known) + len(self._paying) > _MOST_REMEMBERED:
            self._known, self._paying, self._revision = {}, {}, revision
        keys = [(spender, at - at % DAY) for spender, at in spent]  # no window begins within a day
        new = {key for key in keys if key not in self._paying}
        if new:
            await self._learn(connection, {scope for spender, _ in new for scope in scopes(spender)})
            self._paying.update({(spender, day): self._pays(spender, day) for spender, day in new})
        return [self._paying[key] for key in keys]

    async def _learn(self, connection: AsyncConnection, wanted: Collection[Scope]) -> None:
        unknown = sorted(scope for scope in wanted if scope not in self._known)
        if unknown:
            rows = (await connection.execute(_BUDGETS, {"scopes": unknown})).mappings()
            found = sorted(map(Budget.of, rows), key=lambda budget: (budget.scope, budget.scope_id, budget.period))
            self._known.update(dict.fromkeys(unknown, ()))
            self._known.update({scope: tuple(group) for scope, group in groupby(found, lambda budget: (budget.scope, budget.scope_id))})

    def _pays(self, spender: Spender, day: int) -> Paying:
        applying = [budget for scope in scopes(spender) for budget in self._known[scope]]
        budgets = {(budget.id, self.windows.start(budget.period, day)): budget for budget in applying}
        return Paying(spender, day, budgets, orjson.dumps(list(budgets)).decode())

    async def read(self, connection: AsyncConnection, places: Collection[Place]) -> dict[Place, Counter]:
        """At least those of `places` that are there."""
        if not places:
            return {}
        rows = await _COUNTERS.execute(connection, list({budget for budget, _ in places}), list({start for _, start in places}))
        return {(budget, start): Counter(*amounts) for budget, start, *amounts in rows}

    async def counted(self, connection: AsyncConnection, paying: Paying, found: dict[Place, Counter]) -> list[tuple[Budget, Counter]]:
        """The budgets with their counters. One that was not found is there from now on, in `found` as well."""
        for place, budget in paying.budgets.items():
            if place not in found:
                found[place] = await self._begin(connection, budget, place[1])
        return [(budget, found[place]) for place, budget in paying.budgets.items()]

    async def _begin(self, connection: AsyncConnection, budget: Budget, start: int) -> Counter:
        """A counter that was not there before. It knows what was spent and what is under way since its window began."""
        spent, held = sums(budget, start, self.windows.end(budget.period, start))
        counter = Counter(*(await connection.execute(spent)).one())
        marks = []
        for id, nanos, tokens, windows in (await connection.execute(held)).all():
            counter.hold(nanos, tokens)
            marks.append({"hold": id, "marked": orjson.dumps([*orjson.loads(windows), [budget.id, start]]).decode()})
        if marks:
            await connection.execute(_MARK, marks)
        await connection.execute(insert(COUNTERS).values(budget_id=budget.id, window_start=start, **counter.amounts()))
        counter.changed = False
        return counter

    async def save(self, connection: AsyncConnection, counters: Mapping[Place, Counter]) -> None:
        rows = [
            (*place, counter.spent_nanos, counter.spent_tokens, counter.held_nanos, counter.held_tokens)
            for place, counter in counters.items()
            if counter.changed
        ]
        await _SAVE.execute(connection, rows)


def sums(budget: Budget, start: int, end: int | None) -> tuple[Select[Any], Select[Any]]:
    """What was spent in a window: one row of nanos and tokens. What is under way in it: id, nanos, tokens, windows of each hold."""
    # PostgreSQL's sum of integers is a decimal number, which must not get into a counter.
    nanos, tokens = (cast(func.coalesce(func.sum(column), 0), BigInteger).label(column.name) for column in (SPEND.c.nanos, SPEND.c.tokens))
    spent: Any = select(nanos, tokens).where(_of(SPEND, budget), SPEND.c.day >= start, true() if end is None else SPEND.c.day < end)
    held = select(HOLDS.c.id, HOLDS.c.nanos, HOLDS.c.tokens, HOLDS.c.windows)
    return spent, held.where(_of(HOLDS, budget), HOLDS.c.at >= start, true() if end is None else HOLDS.c.at < end)


def _of(table: Any, budget: Budget) -> ColumnElement[bool]:
    """Whether a row of `spend` or `holds` counts for the budget."""
    if budget.scope == "model":
        return or_(table.c.model == budget.scope_id, table.c.asked == budget.scope_id)
    if budget.scope == "global":
        return and_(true())
    names = {"key": "key_id", "user": "user_id", "provider": "provider"}
    made: ColumnElement[bool] = table.c[names[budget.scope]] == budget.scope_id
    return made


async def bump(connection: AsyncConnection) -> None:
    """For whoever changes budgets, in the same transaction. A number that was never there: one that was rolled back does not come again."""
    await connection.execute(_BUMP, {"number": randbits(62)})
