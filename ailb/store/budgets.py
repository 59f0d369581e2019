"""Budgets, for those who set and see them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from secrets import token_hex
from typing import Any, Final, Literal

from sqlalchemy import Select, delete, select, text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.store.counters import Budget, Counter, bump, sums
from ailb.store.database import Database
from ailb.store.schema import BUDGETS, COUNTERS
from ailb.store.windows import PERIODS, Period

SCOPES: Final = ("key", "user", "model", "provider", "global")
SOFT_PPM: Final = 800_000
_SET: Final = text(
    "INSERT INTO budgets (id, scope, scope_id, period, limit_nanos, limit_tokens, soft_limit_ppm, created_at) "
    "VALUES (:id, :scope, :scope_id, :period, :limit_nanos, :limit_tokens, :soft_limit_ppm, :created_at) "
    "ON CONFLICT (scope, scope_id, period) DO UPDATE SET limit_nanos = excluded.limit_nanos, limit_tokens = excluded.limit_tokens, "
    "soft_limit_ppm = excluded.soft_limit_ppm"
)
_Rows = Callable[[Select[Any]], Awaitable[Sequence[RowMapping]]]


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget and how it stands in its current window. Amounts are nano-dollars and tokens, points in time microseconds.

    `exceeded`: a limit is spent. `warning`: spent and held have passed the soft limit, `soft_limit_ppm` millionths of the limit.
    """

    id: str
    scope: str
    scope_id: str
    period: Period
    limit_nanos: int | None
    limit_tokens: int | None
    soft_limit_ppm: int
    spent_nanos: int
    spent_tokens: int
    held_nanos: int
    held_tokens: int
    window_start: int
    resets_at: int | None
    """None for `total`."""

    @property
    def status(self) -> Literal["healthy", "warning", "exceeded"]:
        kinds = (
            (self.limit_nanos, self.spent_nanos, self.held_nanos),
            (self.limit_tokens, self.spent_tokens, self.held_tokens),
        )
        if any(limit is not None and spent >= limit for limit, spent, _ in kinds):
            return "exceeded"
        soft = any(limit is not None and (spent + held) * 1_000_000 >= limit * self.soft_limit_ppm for limit, spent, held in kinds)
        return "warning" if soft else "healthy"


class Budgets:
    """Methods whose name ends in `_in` are for the middle of a `Database.write`. All raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._windows = database.windows

    async def set(
        self,
        scope: str,
        scope_id: str,
        *,
        period: Period,
        limit_nanos: int | None = None,
        limit_tokens: int | None = None,
        soft_limit_ppm: int = SOFT_PPM,
    ) -> BudgetState:
        """The budget of this scope and period, made or changed. None: no limit of that kind. What was spent before counts."""
        limits: dict[str, Any] = {"limit_nanos": limit_nanos, "limit_tokens": limit_tokens, "soft_limit_ppm": soft_limit_ppm}
        return await self._database.write(lambda connection: self.set_in(connection, scope, scope_id, period=period, **limits))

    async def set_in(
        self,
        connection: AsyncConnection,
        scope: str,
        scope_id: str,
        *,
        period: Period,
        limit_nanos: int | None = None,
        limit_tokens: int | None = None,
        soft_limit_ppm: int = SOFT_PPM,
    ) -> BudgetState:
        """Raises ValueError for a scope or a period that there is not."""
        if scope not in SCOPES or period not in PERIODS or (scope == "global") != (scope_id == ""):
            raise ValueError(f"no such budget: {scope} {scope_id!r} {period}")
        row: dict[str, Any] = {"id": f"bud_{token_hex(12)}", "created_at": self._database.micros(), "soft_limit_ppm": soft_limit_ppm}
        row |= {"scope": scope, "scope_id": scope_id, "period": period, "limit_nanos": limit_nanos, "limit_tokens": limit_tokens}
        await connection.execute(_SET, row)
        await bump(connection)
        (state,) = await self._states(_reader(connection), scope, scope_id, period)
        return state

    async def get(self, scope: str, scope_id: str, period: Period | None = None) -> list[BudgetState]:
        """In the order of their periods' names; empty where there is none."""
        return await self._states(self._database.read, scope, scope_id, period)

    async def all(self) -> list[BudgetState]:
        return await self._states(self._database.read)

    async def remove(self, scope: str, scope_id: str, period: Period | None = None) -> int:
        """How many there were. Without a period: all of the scope."""
        return await self._database.write(lambda connection: self.remove_in(connection, scope, scope_id, period))

    async def remove_in(self, connection: AsyncConnection, scope: str, scope_id: str, period: Period | None = None) -> int:
        ids = [row["id"] for row in await _reader(connection)(_select(scope, scope_id, period))]
        for table, column in ((COUNTERS, COUNTERS.c.budget_id), (BUDGETS, BUDGETS.c.id)):
            await connection.execute(delete(table).where(column.in_(ids)))
        await bump(connection)
        return len(ids)

    async def _states(self, rows: _Rows, *of: Any) -> list[BudgetState]:
        now = self._database.micros()
        budgets = [Budget.of(row) for row in await rows(_select(*of))]
        starts = {budget.id: self._windows.start(budget.period, now) for budget in budgets}
        found = select(COUNTERS).where(COUNTERS.c.budget_id.in_(starts), COUNTERS.c.window_start.in_(set(starts.values())))
        counters = {(row["budget_id"], row["window_start"]): Counter.of(row) for row in (await rows(found) if budgets else ())}
        states = []
        for budget in budgets:
            start = starts[budget.id]
            end = self._windows.end(budget.period, start)
            counter = counters.get((budget.id, start)) or await _counted(rows, budget, start, end)
            fields: dict[str, Any] = {**asdict(budget), **counter.amounts()}
            states.append(BudgetState(**fields, window_start=start, resets_at=end))
        return states


def _select(scope: str | None = None, scope_id: str | None = None, period: Period | None = None) -> Select[Any]:
    statement = select(BUDGETS).order_by(BUDGETS.c.scope, BUDGETS.c.scope_id, BUDGETS.c.period)
    if scope is not None:
        statement = statement.where(BUDGETS.c.scope == scope, BUDGETS.c.scope_id == scope_id)
    return statement if period is None else statement.where(BUDGETS.c.period == period)


async def _counted(rows: _Rows, budget: Budget, start: int, end: int | None) -> Counter:
    """What a counter would say that nobody has needed yet."""
    spent, held = sums(budget, start, end)
    counter = Counter()
    for sum in await rows(spent):
        counter.spend(sum["nanos"], sum["tokens"])
    for hold in await rows(held):
        counter.hold(hold["nanos"], hold["tokens"])
    return counter


def _reader(connection: AsyncConnection) -> _Rows:
    async def rows(statement: Select[Any]) -> Sequence[RowMapping]:
        return list((await connection.execute(statement)).mappings())

    return rows
