"""Looks a question up in a collection: by its words and by its meaning at once. Where the second fails, the first is enough."""

import asyncio
from typing import Final

import structlog

from ailb.embed_question import Questions
from ailb.embedding import Embedder
from ailb.errors import Refusal
from ailb.fusion import Ranked, fused, merged
from ailb.retrieval import Found, Passage, Reader
from ailb.store.documents import Documents
from ailb.store.documents_rows import Collection
from ailb.tally import Tally
from ailb.vectors import Vectors, packed

LOG = structlog.get_logger("ailb.retriever")
LEAST_CANDIDATES: Final = 50
"""Of each of the two. Some of them may be gone by now."""

SPARE: Final = 8
"""Passages that are read beyond those asked for: some are gone, the same, or neighbours."""

MEANING_SECONDS: Final = 1.0
"""How long the embedder and the vector store may take together."""

MOST_QUESTION: Final = 4000
"""Characters that are looked at."""

HOW: Final = ("both", "words", "degraded")
"""By words and meaning; by words, as the collection is; by words, because the meaning could not be had."""


class Searcher:
    """The `Retriever`."""

    def __init__(self, documents: Documents, vectors: Vectors, embedder: Embedder, tally: Tally | None = None) -> None:
        self._documents = documents
        self._vectors = vectors
        self._questions = Questions(embedder)
        self._counts = {how: (tally or Tally()).row("retrievals", how) for how in HOW}

    async def search(self, reader: Reader, collection: str, question: str, most: int) -> Found:
        """As `Retriever.search`; the list says in `degraded` why it was by words only, where it should not have been."""
        found = await self._documents.find(reader, collection)
        question = question[:MOST_QUESTION]
        candidates = max(LEAST_CANDIDATES, 2 * most)
        meaning = asyncio.ensure_future(self._near(found, question, candidates, reader.user))
        try:
            worded = await self._documents.worded(found, question, candidates)
            near, degraded = await meaning
        finally:
            meaning.cancel()
        passages = await self._best(found, fused(worded, near), most)
        self._counts["degraded" if degraded else "both" if found.embedder else "words"][0] += 1
        return Found(passages, degraded)

    async def _best(self, collection: Collection, ranked: Ranked, most: int) -> list[Passage]:
        """No more is read than is needed, as a rule: reading all candidates takes longer than finding them."""
        passages: dict[int, tuple[Passage, int]] = {}
        best: list[Passage] = []
        step = most + SPARE
        for end in range(step, len(ranked) + step, step):
            passages |= await self._documents.passages(collection, [id for id, _ in ranked[end - step : end]])
            best = merged(ranked[:end], passages, most)
            if len(best) == most:
                break
        return best

    async def _near(self, collection: Collection, question: str, most: int, user: str) -> tuple[Ranked, str]:
        """And why there is nothing."""
        if not collection.embedder or not question.strip():
            return (), ""
        if collection.embedder != self._questions.name:
            return (), "embedder"
        deadline = asyncio.get_running_loop().time() + MEANING_SECONDS
        try:
            vector = await self._questions.vector(question, user=user)
            async with asyncio.timeout_at(deadline):
                near = await self._vectors.query(collection.id, packed(vector, collection.dimension), most)
        except TimeoutError:
            return (), "timeout"
        except Refusal as refusal:  # of whoever embeds: it is down, or the user's budget is spent
            return (), refusal.code or "unavailable"
        except ValueError as problem:
            LOG.error("the embedder made no vector of a question", embedder=self._questions.name, problem=str(problem))
            return (), "vector"
        return near, "" if near or collection.dimension is None else "vectors"
