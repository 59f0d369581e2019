"""What was spent: sums of the roll-up or of the ledger, and the ledger's rows.

Amounts are integers, money in nano-dollars; points in time are microseconds since 1970 in UTC.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    RowMapping,
    Select,
    String,
    Table,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)

from ailb.ledger import VAIN
from ailb.store.database import Database
from ailb.store.schema import ENTRIES, SPEND
from ailb.turns import in_turns

DAY: Final = 86_400_000_000
"""Microseconds."""

PAGE: Final = 1000
"""Rows read at once."""

Group = Literal["day", "key", "model", "provider", "session"]
_COLUMNS: Final[dict[Group, str]] = {"day": "day", "key": "key_id", "model": "model", "provider": "provider", "session": "session_id"}
_DAY: Final[ColumnElement[int]] = literal_column(str(DAY), BigInteger)
_NONE: Final[ColumnElement[str]] = literal_column("''", String)
"""Written out: PostgreSQL takes two parameters in SELECT and GROUP BY for two expressions."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows: from `start` up to, not including, `end`. None: whatever it is. `model` is its name at the provider or as asked."""

    start: int
    end: int
    user: str | None = None
    key_id: str | None = None
    provider: str | None = None
    model: str | None = None

    @property
    def in_days(self) -> bool:
        return self.start % DAY == 0 and self.end % DAY == 0


@dataclass(frozen=True, slots=True)
class Sum:
    nanos: int = 0
    tokens: int = 0
    requests: int = 0


Sums = dict[Any, Sum]
"""By name; by the day's first microsecond for days."""


class Spend:
    """Reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sums(self, span: Span, groups: Sequence[Group]) -> dict[Group, Sums]:
        """The sums by each of the groups, all of one instant. Whole days come from the roll-up, which outlives rows that were pruned."""
        rolled = span.in_days and "session" not in groups
        table = SPEND if rolled else ENTRIES
        parts = [_part(table, span, group) for group in groups]
        found: dict[Group, Sums] = {group: {} for group in groups}
        for row in await self._database.read(union_all(*parts)):
            name = row["number"] if row["part"] == "day" else row["name"]
            found[row["part"]][name] = Sum(int(row["nanos"]), int(row["tokens"]), int(row["requests"]))
        return found

    async def rows(self, span: Span, *, before: int | None = None, limit: int) -> list[RowMapping]:
        """Rows of the ledger, the newest first, with an id below `before`."""
        return await self._database.read(_rows(span, before).limit(limit))

    async def stream(self, span: Span, *, before: int | None = None, limit: int | None = None) -> AsyncIterator[RowMapping]:
        """As `rows`, any number of them. Read a page at a time: whoever takes them slowly must not keep a connection from others."""
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = await self.rows(span, before=before, limit=size)
            async for row in in_turns(page):
                yield row
            if len(page) < size:
                return
            before = page[-1]["id"]
            left = None if left is None else left - size


def _rows(span: Span, before: int | None) -> Select[Any]:
    earlier = [] if before is None else [ENTRIES.c.id < before]
    return select(ENTRIES).where(*_within(ENTRIES, span), *earlier).order_by(ENTRIES.c.id.desc())


def _part(table: Table, span: Span, group: Group) -> Select[Any]:
    """One group's sums, in columns that every group has."""
    if group == "day":
        day = table.c.day if table is SPEND else table.c.at - table.c.at % _DAY
        keys: list[ColumnElement[Any]] = [literal("").label("name"), day.label("number")]
        by: ColumnElement[Any] = day
    else:
        by = func.coalesce(table.c[_COLUMNS[group]], _NONE)
        keys = [by.label("name"), literal(0).label("number")]
    amounts = [func.coalesce(func.sum(amount), 0).label(name) for name, amount in _amounts(table).items()]
    return select(literal(group).label("part"), *keys, *amounts).where(*_within(table, span)).group_by(by)


def _amounts(table: Table) -> dict[str, ColumnElement[int]]:
    """A request is counted where it ends: with the attempt that was not in vain. A correction is about one that was counted already."""
    if table is SPEND:
        return {name: table.c[name] for name in ("nanos", "tokens", "requests")}
    return {
        "nanos": table.c.nanos,
        "tokens": table.c.input + table.c.output,
        "requests": case((and_(table.c.kind == "attempt", table.c.status.not_in(VAIN)), 1), else_=0),
    }


def _within(table: Table, span: Span) -> list[ColumnElement[bool]]:
    at = table.c.day if table is SPEND else table.c.at
    wanted = {"user_id": span.user, "key_id": span.key_id, "provider": span.provider}
    found = [at >= span.start, at < span.end, *(table.c[name] == value for name, value in wanted.items() if value is not None)]
    if span.model is not None:
        found.append(or_(table.c.model == span.model, table.c.asked == span.model))
    return found
