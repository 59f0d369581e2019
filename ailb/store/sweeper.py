"""Gateways that are alive say so; what one held that is not alive any more is settled at its worst case."""

from typing import Any, Final

from sqlalchemy import delete, not_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.store.books import Books
from ailb.store.database import Database
from ailb.store.schema import HOLDS, PROCESSES
from ailb.store.settling import worst

BEAT_SECONDS: Final = 1.0
LEASE_SECONDS: Final = 5.0
"""Whoever was not seen for so long is dead. The clocks of the machines must not differ by more than half of it."""

_CHUNK: Final = 1000
"""Holds settled in one transaction, so that requests never wait long."""

_SEEN: Final = text(
    "INSERT INTO processes (id, started_at, seen_at) VALUES (:id, :now, :now) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at"
)


class Sweeper:
    """`alone`: no other process can have this database, so whatever another one held is left over."""

    def __init__(self, database: Database, books: Books, process_id: str, *, alone: bool) -> None:
        self._database = database
        self._books = books
        self._process_id = process_id
        self._alone = alone

    async def beat(self) -> int:
        """Says that this process is alive, and settles what the dead have held; how much that was. Raises Unavailable."""
        return await self._database.write(self._beat)

    async def leave(self) -> None:
        """The last word. What is still held is anybody's to settle. Raises Unavailable."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(PROCESSES).where(PROCESSES.c.id == self._process_id))

        await self._database.write(work)

    async def _beat(self, connection: AsyncConnection) -> int:
        now = self._database.micros()
        await connection.execute(_SEEN, {"id": self._process_id, "now": now})
        dead = PROCESSES.c.id != self._process_id
        if not self._alone:
            dead &= PROCESSES.c.seen_at < now - int(LEASE_SECONDS * 1_000_000)
        await connection.execute(delete(PROCESSES).where(dead))
        rows: list[dict[str, Any]] = [
            dict(row)
            for row in (
                await connection.execute(select(HOLDS).where(not_(HOLDS.c.process_id.in_(select(PROCESSES.c.id)))).limit(_CHUNK))
            ).mappings()
        ]
        if rows:
            await self._books.close_out(connection, [(row["id"], worst(row)) for row in rows])
        return len(rows)
