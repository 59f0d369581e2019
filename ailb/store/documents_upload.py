"""Documents that come in in pieces: written down as they come, and seen when the last one is there."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import BadRequest, Conflict, NotFound
from ailb.store import documents_rows as rows
from ailb.store.database import Database
from ailb.store.documents_rows import COMING, GONE, Collection, Piece, Upload, version
from ailb.store.schema_documents import CHUNKS, COLLECTIONS, DOCUMENTS
from ailb.store.words import Words, space
from ailb.vectors import Vectors, packed

BATCH: Final = 64
"""Pieces in one transaction: others wait for the writer meanwhile."""

MOST_CHUNKS: Final = 20_000
"""Of a document."""


class Uploads:
    def __init__(self, database: Database, words: Words, vectors: Vectors) -> None:
        self._database = database
        self._words = words
        self._vectors = vectors

    async def put(self, collection: Collection, upload: Upload, pieces: Sequence[Piece], first: int, last: bool) -> int:
        """How many pieces there are by now.

        `first` is the number of the first of them; what was there from it on is replaced, so that pieces may be sent again. 0 begins anew.
        Raises BadRequest for vectors that do not fit, Conflict for another embedder than the collection's, and where the pieces before
        are not there; NotFound for a collection that is gone, Unavailable where a store is.
        """
        dimension = _dimension(upload, pieces)
        if first + len(pieces) > MOST_CHUNKS:
            raise BadRequest(f"a document may have {MOST_CHUNKS} chunks", param="chunks")
        if first == 0 and await self._begin(collection, upload, dimension):
            await self._vectors.drop(collection.id)  # what is left there of former documents has another dimension
        for at in range(0, len(pieces), BATCH):
            some = pieces[at : at + BATCH]
            ids = await self._append(collection, upload, some, first + at)
            if upload.embedder:
                await self._vectors.add(collection.id, ids, [piece.vector or () for piece in some])
        if last:
            await self._finish(collection, upload, first + len(pieces))
        return first + len(pieces)

    async def _begin(self, collection: Collection, upload: Upload, dimension: int | None) -> bool:
        """Whether the collection has another embedder now."""
        now = self._database.micros()
        own = DOCUMENTS.c.collection_id == collection.id
        names = [upload.id, COMING + upload.id]
        row: dict[str, Any] = {
            "collection_id": collection.id,
            "id": COMING + upload.id,
            "hash": upload.hash,
            "chunks": 0,
            "created_at": now,
        }
        row |= {"title": upload.title, "source": upload.source, "bytes": upload.bytes, "metadata": rows.dumped(upload.metadata)}

        async def work(connection: AsyncConnection) -> bool:
            changed = await _agree(connection, collection, upload, dimension)
            latest = (await connection.execute(select(func.max(DOCUMENTS.c.updated_at)).where(own, DOCUMENTS.c.id.in_(names)))).scalar_one()
            await connection.execute(delete(DOCUMENTS).where(own, DOCUMENTS.c.id == COMING + upload.id))
            await connection.execute(insert(DOCUMENTS).values(row | {"updated_at": max(now, int(latest or 0) + 1)}))
            return changed

        return await self._database.write(work)

    async def _append(self, collection: Collection, upload: Upload, pieces: Sequence[Piece], first: int) -> list[int]:
        """The ids of their rows."""
        indexed = [f"{upload.title}\n{piece.heading}\n{piece.text}" for piece in pieces]

        async def work(connection: AsyncConnection) -> list[int]:
            coming = await _coming(connection, collection, upload)
            own = version(upload.id, int(coming["updated_at"]))
            there = CHUNKS.c.collection_id == collection.id, CHUNKS.c.document_id == own
            count = (await connection.execute(select(func.count()).select_from(CHUNKS).where(*there))).scalar_one()
            if count < first:
                raise Conflict(f"first: {first} does not follow, {count} chunks are here", param="first")
            if count > first:  # of nobody's version: they are swept out, and their vectors with them
                await connection.execute(update(CHUNKS).where(*there, CHUNKS.c.number >= first).values(document_id=version(upload.id, 0)))
            values = [
                {
                    "collection_id": collection.id,
                    "document_id": own,
                    "number": first + place,
                    "text": piece.text,
                    "heading": piece.heading,
                    "page": piece.page,
                }
                for place, piece in enumerate(pieces)
            ]
            made = await connection.execute(insert(CHUNKS).values(values).returning(CHUNKS.c.id, CHUNKS.c.number))
            ids = [int(id) for id, _ in sorted(made.all(), key=lambda row: int(row[1]))]
            await self._words.add(connection, space(collection.id), list(zip(ids, indexed, strict=True)))
            return ids

        return await self._database.write(work)

    async def _finish(self, collection: Collection, upload: Upload, count: int) -> None:
        """The new version takes the old one's place."""
        own = DOCUMENTS.c.collection_id == collection.id

        async def work(connection: AsyncConnection) -> None:
            coming = await _coming(connection, collection, upload)
            here = CHUNKS.c.collection_id == collection.id, CHUNKS.c.document_id == version(upload.id, int(coming["updated_at"]))
            there = (await connection.execute(select(func.count()).select_from(CHUNKS).where(*here))).scalar_one()
            if not count or there != count:
                raise Conflict(f"{there} chunks are here" if count else "a document needs a chunk", param="chunks")
            before = (await connection.execute(select(DOCUMENTS.c.created_at).where(own, DOCUMENTS.c.id == upload.id))).scalar_one_or_none()
            await connection.execute(delete(DOCUMENTS).where(own, DOCUMENTS.c.id == upload.id))
            values: dict[str, Any] = {"id": upload.id, "chunks": count, "created_at": before or coming["created_at"]}
            await connection.execute(update(DOCUMENTS).where(own, DOCUMENTS.c.id == COMING + upload.id).values(values))

        await self._database.write(work)


def _dimension(upload: Upload, pieces: Sequence[Piece]) -> int | None:
    """Of the vectors. Raises BadRequest where they are not all there and alike, or are when there should be none."""
    dimension: int | None = None
    for place, piece in enumerate(pieces):
        where = f"chunks[{place}].vector"
        if (piece.vector is None) is bool(upload.embedder):
            raise BadRequest(f"{where}: {'is missing' if upload.embedder else 'comes without an embedder'}", param=where)
        if piece.vector is not None:
            try:
                dimension = len(packed(piece.vector, dimension))
            except (ValueError, OverflowError) as problem:
                raise BadRequest(f"{where}: {problem}", param=where) from None
    return dimension


async def _agree(connection: AsyncConnection, collection: Collection, upload: Upload, dimension: int | None) -> bool:
    """On the embedder: vectors of two must never meet. An empty collection takes whichever comes first; whether it had another one before.

    Raises BadRequest, Conflict, NotFound.
    """
    found = (await connection.execute(select(COLLECTIONS).where(COLLECTIONS.c.id == collection.id))).mappings().first()
    if found is None or found["owner"] == GONE:
        raise NotFound("no such collection", param="collection")
    held = (
        select(func.count()).select_from(DOCUMENTS).where(DOCUMENTS.c.collection_id == collection.id, DOCUMENTS.c.id != COMING + upload.id)
    )
    if found["embedder"] != upload.embedder and (await connection.execute(held)).scalar_one():
        has = f"has vectors of {found['embedder']}" if found["embedder"] else "has no vectors"
        raise Conflict(f"embedder: the collection {has}; make another one for {upload.embedder or 'what has none'}", param="embedder")
    same = found["embedder"] == upload.embedder
    if same and dimension is not None and found["dimension"] not in (None, dimension):
        raise BadRequest(
            f"chunks[0].vector: has {dimension} numbers, and those of the collection have {found['dimension']}", param="chunks"
        )
    if not same or dimension != found["dimension"]:
        values = {"embedder": upload.embedder, "dimension": dimension or (found["dimension"] if same else None)}
        await connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.id == collection.id).values(values))
    return not same and bool(found["embedder"])


async def _coming(connection: AsyncConnection, collection: Collection, upload: Upload) -> RowMapping:
    """The row of what is coming in. Raises Conflict where it is not, or is another one by now."""
    own = DOCUMENTS.c.collection_id == collection.id, DOCUMENTS.c.id == COMING + upload.id
    found = (await connection.execute(select(DOCUMENTS).where(*own))).mappings().first()
    if found is None or bytes(found["hash"]) != upload.hash:
        raise Conflict("this document is not coming in, or another version of it is; begin anew with first = 0", param="first")
    row: RowMapping = found
    return row
