"""What a provider has embedded already, so that no text is paid for twice."""

import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.embedding import Vector
from ailb.store.database import Database
from ailb.store.schema_documents import EMBEDDINGS

DAY: Final = 86_400_000_000
"""In microseconds."""

KEPT: Final = 90 * DAY
"""What was not asked for so long is forgotten."""

_AT_ONCE: Final = 500
_C: Final = EMBEDDINGS.c


class Embeddings:
    """An `ailb.embedding.Embedded`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, embedder: str, hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        """That one was asked for is written down once a day."""
        found: dict[bytes, Vector] = {}
        old: list[bytes] = []
        yesterday = self._database.micros() - DAY
        for start in range(0, len(hashes), _AT_ONCE):
            asked = hashes[start : start + _AT_ONCE]
            query = select(_C.hash, _C.vector, _C.used_at).where(_C.embedder == embedder, _C.hash.in_(asked))
            for row in await self._database.read(query):
                found[bytes(row["hash"])] = _floats(row["vector"])
                if row["used_at"] < yesterday:
                    old.append(bytes(row["hash"]))
        if old:
            await self._use(embedder, old)
        return found

    async def keep(self, embedder: str, vectors: Mapping[bytes, Vector]) -> None:
        now = self._database.micros()
        rows = [{"embedder": embedder, "hash": key, "vector": _packed(vector), "used_at": now} for key, vector in vectors.items()]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(EMBEDDINGS).where(_C.used_at < now - KEPT))
            await connection.execute(delete(EMBEDDINGS).where(_C.embedder == embedder, _C.hash.in_(list(vectors))))
            await connection.execute(insert(EMBEDDINGS), rows)

        if rows:
            await self._database.write(work)

    async def _use(self, embedder: str, hashes: Sequence[bytes]) -> None:
        async def work(connection: AsyncConnection) -> None:
            for start in range(0, len(hashes), _AT_ONCE):
                used = _C.hash.in_(hashes[start : start + _AT_ONCE])
                await connection.execute(update(EMBEDDINGS).where(_C.embedder == embedder, used).values(used_at=self._database.micros()))

        await self._database.write(work)


def _packed(vector: Vector) -> bytes:
    return _little(array("f", vector)).tobytes()


def _floats(packed: bytes) -> list[float]:
    floats = array("f")
    floats.frombytes(bytes(packed))
    return _little(floats).tolist()


def _little(floats: "array[float]") -> "array[float]":
    if sys.byteorder == "big":
        floats.byteswap()
    return floats
