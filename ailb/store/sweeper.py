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
"""Whoever says nothing for so long is dead."""

_CHUNK: Final = 1000
"""Holds settled in one transaction, so that requests never wait long."""

_LEFT: Final = select(HOLDS).where(not_(HOLDS.c.process_id.in_(select(PROCESSES.c.id)))).limit(_CHUNK)
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
        self._heard: dict[str, tuple[int, float]] = {}
        """By process: what it said last, and when that was heard first."""

        self._listened = float("-inf")

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
        if dead := await self._dead(connection):
            await connection.execute(delete(PROCESSES).where(PROCESSES.c.id.in_(dead)))
        rows: list[dict[str, Any]] = [dict(row) for row in (await connection.execute(_LEFT)).mappings()]
        if rows:
            await self._books.close_out(connection, [(row["id"], worst(row)) for row in rows])
        return len(rows)

    async def _dead(self, connection: AsyncConnection) -> list[str]:
        """Time is told by this process' own steady clock, so it does not matter what the others take for the time, or whether it jumps.
        Who was away himself, as while the database was down, has not heard anybody, and begins anew."""
        now = self._database.monotonic()
        others = select(PROCESSES.c.id, PROCESSES.c.seen_at).where(PROCESSES.c.id != self._process_id)
        said = {row.id: row.seen_at for row in await connection.execute(others)}
        if self._alone:
            return list(said)
        if now - self._listened > LEASE_SECONDS / 2:
            self._heard = {}
        self._listened = now
        old = self._heard
        self._heard = {id: old[id] if id in old and old[id][0] == seen else (seen, now) for id, seen in said.items()}
        return [id for id, (_, since) in self._heard.items() if now - since > LEASE_SECONDS]
