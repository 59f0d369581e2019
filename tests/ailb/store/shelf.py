"""Documents in a test's database, with vectors in memory."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select, text

from ailb.retrieval import Reader
from ailb.store.database import Database
from ailb.store.documents import Documents
from ailb.store.documents_rows import Collection, Piece, Upload
from ailb.store.schema_documents import CHUNKS
from tests.ailb.nearby import Bag, MemoryVectors

ANN, BOB = Reader("ann"), Reader("bob")
BAG = Bag()


class Shelf(Documents):
    def __init__(self, database: Database, vectors: MemoryVectors | None = None) -> None:
        self.near = vectors or MemoryVectors()
        super().__init__(database, self.near)
        self.database = database

    async def taken(self, collection: Collection, id: str, *texts: str, embedder: str = "", **more: Any) -> None:
        """A document with these chunks."""
        await self.put(collection, upload(id, *texts, embedder=embedder, **more), pieces(*texts, vectors=bool(embedder)))

    async def texts(self, collection: Collection, question: str) -> list[str]:
        """Of the chunks that are found by their words, and to be seen."""
        found = await self.worded(collection, question, 100)
        there = await self.passages(collection, [id for id, _ in found])
        return [there[id][0].text for id, _ in found if id in there]

    async def rows(self) -> tuple[int, int]:
        """How many chunks there are, seen or not, and how many rows in their index."""
        (chunks,) = await self.database.read(select(func.count().label("n")).select_from(CHUNKS))
        (words,) = await self.database.read(text("SELECT count(*) AS n FROM chunks_words"))
        return int(chunks["n"]), int(words["n"])


def upload(id: str, *texts: str, embedder: str = "", **more: Any) -> Upload:
    whole = "\n".join(texts).encode()
    return Upload(id, more.pop("hash", sha256(whole).digest()), bytes=len(whole), embedder=embedder, **more)


def pieces(*texts: str, vectors: bool = False) -> Sequence[Piece]:
    return [Piece(text, vector=BAG.of(text) if vectors else None) for text in texts]
