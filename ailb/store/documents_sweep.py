"""What was deleted or replaced is seen by nobody at once, and goes out bit by bit: here.

Vectors go before their rows: as long as one may be in the vector store its id is not given to another chunk.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog
from sqlalchemy import BigInteger, and_, cast, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import Unavailable
from ailb.store.database import Database
from ailb.store.documents_rows import COMING, GONE
from ailb.store.schema_documents import CHUNKS, COLLECTIONS, DOCUMENTS
from ailb.store.words import Words
from ailb.vectors import Vectors

LOG = structlog.get_logger("ailb.documents")
STEP: Final = 200
"""Rows in one transaction."""

SWEEP_SECONDS: Final = 600.0
DAY: Final = 86_400 * 1_000_000
"""Microseconds after which what has begun to come in, and did not go on, is given up."""


class Sweep:
    """Any number of processes may be at it."""

    def __init__(self, database: Database, words: Words, vectors: Vectors) -> None:
        self._database = database
        self._words = words
        self._vectors = vectors
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def wake(self) -> None:
        self._wake.set()

    async def __call__(self) -> None:
        """All that there is. Raises Unavailable where a store is; what is left then is for the next time."""
        await self._give_up()
        for row in await self._database.read(select(COLLECTIONS.c.id, COLLECTIONS.c.owner, COLLECTIONS.c.embedder)):
            gone = row["owner"] == GONE
            if gone:
                await self._forget(row["id"])
            await self._orphans(row["id"], vectors=bool(row["embedder"]) and not gone)
            if gone:
                await self._drop(row["id"])

    async def _run(self) -> None:
        while True:
            try:
                await self()
            except Unavailable as problem:
                LOG.info("what was deleted is not swept out yet", problem=problem.message)
            try:
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue
            finally:
                self._wake.clear()

    async def _give_up(self) -> None:
        old = DOCUMENTS.c.chunks == 0, DOCUMENTS.c.updated_at < self._database.micros() - DAY
        await self._delete(delete(DOCUMENTS).where(*old))

    async def _forget(self, collection: str) -> None:
        await self._delete(delete(DOCUMENTS).where(DOCUMENTS.c.collection_id == collection))

    async def _drop(self, collection: str) -> None:
        await self._vectors.drop(collection)
        await self._delete(delete(COLLECTIONS).where(COLLECTIONS.c.id == collection, COLLECTIONS.c.owner == GONE))

    async def _orphans(self, collection: str, *, vectors: bool) -> None:
        """Chunks of versions that no document has."""
        id = func.substr(CHUNKS.c.document_id, 18)
        same = and_(
            DOCUMENTS.c.collection_id == collection,
            or_(DOCUMENTS.c.id == id, DOCUMENTS.c.id == COMING + id),
            DOCUMENTS.c.updated_at == cast(func.substr(CHUNKS.c.document_id, 1, 16), BigInteger),
        )
        own = CHUNKS.c.collection_id == collection
        versions = select(CHUNKS.c.document_id).where(own, ~select(DOCUMENTS.c.id).where(same).exists()).distinct()
        for row in await self._database.read(versions):
            while ids := [int(each["id"]) for each in await self._step(collection, row["document_id"])]:
                if vectors:
                    await self._vectors.delete(collection, ids)
                await self._remove(ids)

    async def _step(self, collection: str, version: str) -> Iterable[Any]:
        own = CHUNKS.c.collection_id == collection, CHUNKS.c.document_id == version
        return await self._database.read(select(CHUNKS.c.id).where(*own).order_by(CHUNKS.c.number).limit(STEP))

    async def _remove(self, ids: list[int]) -> None:
        async def work(connection: AsyncConnection) -> None:
            await self._words.remove(connection, ids)
            await connection.execute(delete(CHUNKS).where(CHUNKS.c.id.in_(ids)))

        await self._database.write(work)

    async def _delete(self, statement: Any) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._database.write(work)
