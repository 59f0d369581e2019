"""Old rows of the ledger: counted, and deleted once they were exported. The roll-up keeps their sums for ever."""

from typing import Final, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import Conflict
from ailb.store.database import Database
from ailb.store.schema import ENTRIES, REVISIONS
from ailb.store.windows import DAY, day

CHUNK: Final = 1000
"""Rows deleted at once, so that a gateway beside it never waits long for the lock."""

Mark = Literal["exported", "pruned"]
"""Up to which time, in microseconds, rows were exported from the first one on, or deleted. They stand in `revisions`."""


async def count(database: Database, start: int, end: int) -> int:
    """Rows of the ledger in [start, end)."""
    (row,) = await database.read(select(func.count().label("n")).select_from(ENTRIES).where(ENTRIES.c.at >= start, ENTRIES.c.at < end))
    return int(row["n"])


async def mark(database: Database, name: Mark) -> int:
    """0 where nothing was."""
    rows = await database.read(select(REVISIONS.c.number).where(REVISIONS.c.name == name))
    return int(rows[0]["number"]) if rows else 0


async def put_mark(database: Database, name: Mark, at: int) -> None:
    """A mark only ever goes forward."""

    async def work(connection: AsyncConnection) -> None:
        await _put(connection, name, at)

    await database.write(work)


async def newest(database: Database) -> int:
    """The id of the ledger's last row; 0 where there is none."""
    (row,) = await database.read(select(func.coalesce(func.max(ENTRIES.c.id), 0).label("id")))
    return int(row["id"])


async def exported(database: Database, up_to: int, last: int) -> None:
    """Remembers that rows before that time were exported, of those with ids up to `last`. A later one at such a time is a correction, and
    from its day on all is to be exported again.
    """

    async def work(connection: AsyncConnection) -> None:
        missed = await connection.scalar(select(func.min(ENTRIES.c.at)).where(ENTRIES.c.id > last, ENTRIES.c.kind == "correction"))
        await _put(connection, "exported", up_to if missed is None else min(up_to, day(missed)))

    await database.write(work)


async def prune(database: Database, before: int) -> int:
    """Deletes a chunk of the rows before that time, the first microsecond of a day; returns how many. 0: there are no more.

    Raises Conflict for rows that were not exported.
    """
    if before % DAY:
        raise ValueError("rows are pruned by whole days, or the roll-up could not be compared any more")
    if before > await mark(database, "exported"):
        raise Conflict("rows before that day were not exported: run ailb billing export, without --from, first")

    async def work(connection: AsyncConnection) -> int:
        await _put(connection, "pruned", before)
        old = select(ENTRIES.c.id).where(ENTRIES.c.at < before).order_by(ENTRIES.c.id).limit(CHUNK)
        return int((await connection.execute(delete(ENTRIES).where(ENTRIES.c.id.in_(old)))).rowcount)

    return await database.write(work)


async def _put(connection: AsyncConnection, name: Mark, at: int) -> None:
    new = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    await connection.execute(new(REVISIONS).values(name=name, number=at).on_conflict_do_nothing())
    await connection.execute(update(REVISIONS).where(REVISIONS.c.name == name, REVISIONS.c.number < at).values(number=at))
