"""Corrections: a row of the ledger is never changed; what it should have come to is told by rows that have the difference.

A correction counts where its row does: on the same day, in the same windows of the same budgets. So no sum ever falls below zero, as no row
does with its corrections.
"""

from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final

from sqlalchemy import func, insert, select, tuple_, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import Conflict, NotFound
from ailb.store.database import Database
from ailb.store.schema import BUDGETS, COUNTERS, ENTRIES, REVISIONS, SPEND
from ailb.store.scopes import Spender, clean, scopes
from ailb.store.windows import Windows, day

MOST_REASON: Final = 1000
"""Characters."""

_MOST_ID: Final = 2**63 - 1
_SAME: Final = ("at", "request_id", "attempt", "user_id", "key_id", "provider", "model", "asked", "session_id", "status")


@dataclass(frozen=True, slots=True)
class Correction:
    """`id` is the new row's, None where nothing was to be corrected; `nanos` the difference."""

    id: int | None
    nanos: int


async def correct(database: Database, id: int, nanos: int, reason: str | None = None) -> Correction:
    """Row `id` comes to `nanos` with this, whatever it came to with the corrections before: done again, it changes nothing.

    Raises NotFound, Conflict for a row that cannot be corrected, Unavailable.
    """

    async def work(connection: AsyncConnection) -> Correction:
        entry = await _entry(connection, id)
        before = select(func.coalesce(func.sum(ENTRIES.c.nanos), 0)).where(ENTRIES.c.at == entry["at"], ENTRIES.c.corrects == id)
        difference = nanos - entry["nanos"] - int((await connection.execute(before)).scalar_one())
        if not difference:
            return Correction(None, 0)
        row = {
            **{name: entry[name] for name in _SAME},
            "hold_id": f"correction-{token_hex(8)}",  # of its own, as a row may be corrected again
            "kind": "correction",
            "nanos": difference,
            "estimated": False,
            "corrects": id,
            "corrected_at": database.micros(),
            "reason": None if reason is None else clean(reason, MOST_REASON),
        }
        made = (await connection.execute(insert(ENTRIES).values(row).returning(ENTRIES.c.id))).scalar_one()
        await _roll_up(connection, entry, difference)
        await _count(connection, entry, difference)
        await _export_again(connection, entry["at"])
        return Correction(int(made), difference)

    try:
        return await database.write(work)
    except IntegrityError:  # a counter that would fall below zero: it does not have what the ledger has
        raise Conflict(f"row {id} cannot be corrected: the books do not balance; ask ailb audit") from None


async def _entry(connection: AsyncConnection, id: int) -> RowMapping:
    found = select(ENTRIES).where(ENTRIES.c.id == id)
    entry = (await connection.execute(found)).mappings().first() if 0 < id <= _MOST_ID else None
    if entry is None:
        raise NotFound(f"no row {id} is in the ledger")
    if entry["kind"] == "correction":
        raise Conflict(f"row {id} is a correction itself: correct row {entry['corrects']}")
    pruned = await connection.scalar(select(REVISIONS.c.number).where(REVISIONS.c.name == "pruned")) or 0
    if entry["at"] < pruned:
        raise Conflict(f"row {id} is about to be deleted with all rows of its day")
    return entry


async def _roll_up(connection: AsyncConnection, entry: RowMapping, difference: int) -> None:
    mine = [SPEND.c.day == day(entry["at"]), *(SPEND.c[name] == entry[name] for name in Spender._fields)]
    changed = await connection.execute(update(SPEND).where(*mine).values(nanos=SPEND.c.nanos + difference))
    if changed.rowcount != 1:
        raise Conflict(f"row {entry['id']} cannot be corrected: the roll-up does not have it; ask ailb audit")


async def _count(connection: AsyncConnection, entry: RowMapping, difference: int) -> None:
    """In every window in which it was spent. One that has no counter yet begins with what the roll-up has."""
    of_budget = COUNTERS.c.budget_id == BUDGETS.c.id
    mine = tuple_(BUDGETS.c.scope, BUDGETS.c.scope_id).in_(scopes(Spender(*(entry[name] for name in Spender._fields))))
    found = select(COUNTERS.c.budget_id, COUNTERS.c.window_start, BUDGETS.c.period).join_from(COUNTERS, BUDGETS, of_budget)
    windows = Windows()  # where weeks and months begin is in the counters already
    for id, start, period in (await connection.execute(found.where(mine, COUNTERS.c.window_start <= entry["at"]))).all():
        end = windows.end(period, start)
        if end is None or entry["at"] < end:
            counter = update(COUNTERS).where(COUNTERS.c.budget_id == id, COUNTERS.c.window_start == start)
            await connection.execute(counter.values(spent_nanos=COUNTERS.c.spent_nanos + difference))


async def _export_again(connection: AsyncConnection, at: int) -> None:
    """The new row stands among rows that may have been exported already, and must not be deleted unseen."""
    mark: Any = update(REVISIONS).where(REVISIONS.c.name == "exported", REVISIONS.c.number > day(at))
    await connection.execute(mark.values(number=day(at)))
