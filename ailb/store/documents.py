"""Collections of documents: whose they are, what is in them, and how it goes out again."""

from collections.abc import Sequence
from dataclasses import replace
from secrets import token_hex
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import Conflict, NotFound
from ailb.retrieval import Passage, Reader
from ailb.store import documents_rows as rows
from ailb.store.database import Database
from ailb.store.documents_rows import GONE, SHARED, Collection, Document, Piece, Upload
from ailb.store.documents_sweep import Sweep
from ailb.store.documents_upload import Uploads
from ailb.store.schema_documents import COLLECTIONS, DOCUMENTS
from ailb.store.words import Words, space
from ailb.vectors import Vectors

NOT_FOUND: Final = "no such collection"
MOST_COLLECTIONS: Final = 1000
"""Of one user, so that nobody fills the store with names."""


class Documents:
    """Open between `async with` and its end: meanwhile what was deleted is swept out. Methods raise Unavailable while the store is down."""

    def __init__(self, database: Database, vectors: Vectors) -> None:
        self._database = database
        self._words = Words(database, "chunks_words")
        self._uploads = Uploads(database, self._words, vectors)
        self._sweep = Sweep(database, self._words, vectors)

    async def __aenter__(self) -> Self:
        self._sweep.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._sweep.stop()

    async def create(self, owner: str, name: str, *, embedder: str = "", metadata: dict[str, Any] | None = None) -> Collection:
        """Raises Conflict for a name that the owner has used, and for one more than there may be."""
        made = Collection(f"col-{token_hex(16)}", owner, name, self._database.micros(), embedder, None, metadata or {})
        row = {"id": made.id, "owner": owner, "name": name, "created_at": made.created_at, "embedder": embedder}

        async def work(connection: AsyncConnection) -> None:
            there = await connection.execute(select(func.count()).select_from(COLLECTIONS).where(COLLECTIONS.c.owner == owner))
            if there.scalar_one() >= MOST_COLLECTIONS:
                raise Conflict(f"there are {MOST_COLLECTIONS} collections already")
            try:
                async with connection.begin_nested():
                    await connection.execute(insert(COLLECTIONS).values(row | {"metadata": rows.dumped(made.metadata)}))
            except IntegrityError:
                raise Conflict("there is a collection of this name", param="name") from None

        await self._database.write(work)
        return made

    async def find(self, reader: Reader, name: str) -> Collection:
        """The reader's own, else the shared one. Raises NotFound, the same for what there is not and what is not for the reader."""
        found = await self._database.read(rows.collections(COLLECTIONS.c.name == name, _for(reader)))
        for row in sorted(found, key=lambda row: bool(row["owner"] == SHARED)):
            return rows.collection(row)
        raise NotFound(NOT_FOUND, param="collection")

    async def find_id(self, id: str) -> Collection:
        """With how much is in it. Raises NotFound."""
        for row in await self._database.read(rows.collections(COLLECTIONS.c.id == id, COLLECTIONS.c.owner != GONE)):
            return await self.counted(rows.collection(row))
        raise NotFound(NOT_FOUND, param="collection")

    async def counted(self, collection: Collection) -> Collection:
        """With how much is in it."""
        (made,) = await self._counted([collection])
        return made

    async def page(self, reader: Reader, *, limit: int = 100, offset: int = 0) -> tuple[list[Collection], int]:
        """The reader's own and the shared ones by name, and how many there are in all."""
        page = rows.collections(_for(reader)).order_by(COLLECTIONS.c.name, COLLECTIONS.c.owner.desc()).limit(limit).offset(offset)
        found = [rows.collection(row) for row in await self._database.read(page)]
        (total,) = await self._database.read(select(func.count().label("total")).select_from(COLLECTIONS).where(_for(reader)))
        return await self._counted(found), int(total["total"])

    async def delete(self, collection: Collection) -> None:
        """Nothing of it is found any more, in any process; what it held goes bit by bit. Raises NotFound."""

        async def work(connection: AsyncConnection) -> None:
            there = COLLECTIONS.c.id == collection.id, COLLECTIONS.c.owner == collection.owner
            gone = await connection.execute(update(COLLECTIONS).where(*there).values(owner=GONE, name=collection.id))
            if not gone.rowcount:
                raise NotFound(NOT_FOUND, param="collection")

        await self._database.write(work)
        self._sweep.wake()

    async def documents(self, collection: Collection, *, limit: int = 100, offset: int = 0) -> tuple[list[Document], int]:
        """Those that are all there, by their ids, and how many there are."""
        own = DOCUMENTS.c.collection_id == collection.id, DOCUMENTS.c.chunks > 0
        page = select(DOCUMENTS).where(*own).order_by(DOCUMENTS.c.id).limit(limit).offset(offset)
        found = [rows.document(row) for row in await self._database.read(page)]
        (total,) = await self._database.read(select(func.count().label("total")).select_from(DOCUMENTS).where(*own))
        return found, int(total["total"])

    async def document(self, collection: Collection, id: str) -> Document | None:
        """One that is all there."""
        own = DOCUMENTS.c.collection_id == collection.id, DOCUMENTS.c.id == id, DOCUMENTS.c.chunks > 0
        return next((rows.document(row) for row in await self._database.read(select(DOCUMENTS).where(*own))), None)

    async def put(self, collection: Collection, upload: Upload, pieces: Sequence[Piece], *, first: int = 0, last: bool = True) -> int:
        """Some of a document's pieces, from the number `first` on; after the last ones it is found, and its former version is not.

        Returns how many there are by now. Raises BadRequest, Conflict and NotFound as `Uploads.put`.
        """
        count = await self._uploads.put(collection, upload, pieces, first, last)
        if last:
            self._sweep.wake()
        return count

    async def delete_document(self, collection: Collection, id: str) -> None:
        """It is not found any more, in any process. Raises NotFound."""

        async def work(connection: AsyncConnection) -> None:
            own = DOCUMENTS.c.collection_id == collection.id, DOCUMENTS.c.id.in_([id, rows.COMING + id])
            gone = await connection.execute(delete(DOCUMENTS).where(*own))
            if not gone.rowcount:
                raise NotFound("no such document")

        await self._database.write(work)
        self._sweep.wake()

    async def sweep(self) -> None:
        """Until nothing is left of what was deleted and replaced; otherwise that is done beside."""
        await self._sweep()

    async def worded(self, collection: Collection, question: str, most: int) -> list[tuple[int, float]]:
        """Ids of chunks that have words of the question, and scores, best first. Some may not be visible."""
        return await self._words.find(space(collection.id), question, most)

    async def passages(self, collection: Collection, ids: Sequence[int]) -> dict[int, tuple[Passage, int]]:
        """Those of the chunks that are to be seen now, each with its number in its document. The truth about what is found."""
        found = await self._database.read(rows.visible(collection.id, ids)) if ids else []
        return {int(row["id"]): (rows.passage(row), int(row["number"])) for row in found}

    async def _counted(self, found: Sequence[Collection]) -> list[Collection]:
        if not found:
            return []
        sums = {row["collection_id"]: row for row in await self._database.read(rows.counts([each.id for each in found]))}
        return [
            replace(each, documents=int(sums[each.id]["documents"]), chunks=int(sums[each.id]["chunks"])) if each.id in sums else each
            for each in found
        ]


def _for(reader: Reader) -> ColumnElement[bool]:
    """The one filter of whose a collection must be. It cannot be empty: nobody is no reader."""
    if not reader.user or reader.user == GONE:
        raise ValueError("a reader has a user")
    mine = or_(COLLECTIONS.c.owner == reader.user, COLLECTIONS.c.owner == SHARED)
    return mine if reader.collections is None else mine & COLLECTIONS.c.name.in_(reader.collections)
