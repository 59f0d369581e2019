"""A set of questions, asked as a request would ask: the real store, the real vector store, the real retriever."""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from math import log2
from pathlib import Path
from types import TracebackType
from typing import Self

from ailb.clock import Clock
from ailb.embed_local import LocalEmbedder
from ailb.embedding import Vector
from ailb.library import Library
from ailb.retrieval import Found, Passage, Reader
from ailb.secret import Secret
from ailb.store.database import Database
from ailb.store.documents_rows import Collection, Piece, Upload
from ailb.vectors import packed
from ailb.vectors_apart import Apart
from benchmarks.children import BenchmarkError
from benchmarks.retrieval_sets import Question, Set

WAYS = ("meaning", "words", "both")
MOST = 10
CANDIDATES = 50
READER = Reader("bench")
TRIES = 10
PATIENCE = 30.0
"""Nobody waits for an answer here, and the machine may have other things to do."""


@dataclass(frozen=True, slots=True)
class Score:
    """In percent, of all questions: the first is right; the reciprocal of the place, and its discount, of the first right one of ten."""

    first: float
    mrr: float
    ndcg: float


def scored(places: Sequence[int | None]) -> Score:
    """`places` from 0, None for what is not among them."""
    found = [place for place in places if place is not None and place < MOST]
    each = 100 / len(places)
    return Score(each * found.count(0), each * sum(1 / (place + 1) for place in found), each * sum(1 / log2(place + 2) for place in found))


def place_of(question: Question, passages: Iterable[Passage], by_document: bool) -> int | None:
    """Of the first passage that answers; with `by_document` each document has one place."""
    before: set[str] = set()
    for place, passage in enumerate(passages):
        if question.is_answered(passage):
            return len(before) if by_document else place
        before.add(passage.document)
    return None


class Remembering(LocalEmbedder):
    """Embeds a text once: many sets have the same ones."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, Vector] = {}

    async def embed(self, texts: Sequence[str], *, user: str = "") -> list[Vector]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, await super().embed(new, user=user), strict=True))
        return [self._known[text] for text in texts]


class Bench:
    """Open between `async with` and its end. `folder` is where its database and its vectors go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._embedder = Remembering()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        database = Database(Secret(f"sqlite+aiosqlite:///{self._folder}/ailb.db"), Clock(), patience=PATIENCE)
        self._library = Library(database, Apart({"folder": str(self._folder / "vectors")}, query_seconds=PATIENCE))
        await self._open.enter_async_context(database)
        await database.prepare()
        await self._open.enter_async_context(self._library)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._open.aclose()

    async def run(self, set: Set) -> dict[str, Score]:
        """By the way in which it was found."""
        collection = await self._filled(set)
        places: dict[str, list[int | None]] = {way: [] for way in WAYS}
        for question in set.questions:
            for way, passages in (await self._found(collection, question.text)).items():
                places[way].append(place_of(question, passages, set.by_document))
        return {way: scored(found) for way, found in places.items()}

    async def _filled(self, set: Set) -> Collection:
        documents = self._library.documents
        collection = await documents.create(READER.user, set.name, embedder=self._embedder.name)
        for id, title, chunks in set.documents:
            pieces = [Piece(chunk.text, chunk.heading, chunk.page) for chunk in chunks]
            upload = Upload(id, sha256(id.encode()).digest(), title, embedder=self._embedder.name)
            await documents.put(collection, upload, await self._library.embedded(pieces, self._embedder, READER.user))
        return await documents.find(READER, set.name)

    async def _found(self, collection: Collection, question: str) -> dict[str, list[Passage]]:
        """`both` is what a request would get, the others what it is made of, passages by themselves."""
        (vector,) = await self._embedder.embed([question])
        near = await self._library.vectors.query(collection.id, packed(vector), CANDIDATES)
        worded = await self._library.documents.worded(collection, question, CANDIDATES)
        known = await self._library.documents.passages(collection, [id for id, _ in (*near, *worded)])
        found = {way: [known[id][0] for id, _ in ranked if id in known] for way, ranked in (("meaning", near), ("words", worded))}
        return {**found, "both": list(await self._both(collection, question))}

    async def _both(self, collection: Collection, question: str) -> Found:
        """Asked again where the machine had other things to do. Raises BenchmarkError where it still has."""
        for _ in range(TRIES):
            both = await self._library.by(self._embedder).search(READER, collection.name, question, CANDIDATES)
            if not both.degraded:
                return both
        raise BenchmarkError(f"found by words only: {both.degraded}")
