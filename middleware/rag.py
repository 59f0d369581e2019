"""Puts what was looked up in a collection of documents before the question, and tells what the answer cites of it."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from unicodedata import normalize

from ailb.errors import NotFound, Refusal, Unavailable
from ailb.exchange import Exchange, Reply
from ailb.prompt import Prompt
from ailb.retrieval import Found, Passage, Reader, Retriever
from ailb.stack import Next
from ailb.words import asked
from middleware.rag_block import MOST_HEAD, Block, assemble, nonce_of
from middleware.rag_told import SOURCES_HEADER, Told

HEADER: Final = "x-ailb-rag"
"""Why there are no sources: `unavailable` or `timeout`. Or why they may be worse than they could: `degraded`."""

FEW_WORDS: Final = 3
"""A question with fewer words that say something is taken for one that goes on from the question before it."""

MOST_QUESTION: Final = 2000
"""Characters of what the user said that are looked up: the last ones, where the question stands after what was pasted."""

LEAST_CHARACTERS: Final = 1000


class Rag:
    """Only requests that name a `rag_collection` have to do with it. Retrieval takes `deadline_seconds` at most. When it fails, they go on
    without sources, which a header tells; if it is `required`, they get 503. The sources, with what is said about them, have at most
    `most_characters`.
    """

    def __init__(
        self,
        retriever: Retriever,
        *,
        deadline_seconds: float = 2.0,
        most_characters: int = 12_000,
        required: bool = False,
    ) -> None:
        if deadline_seconds <= 0:
            raise ValueError("deadline_seconds must be more than 0")
        if most_characters < LEAST_CHARACTERS:
            raise ValueError(f"most_characters must be at least {LEAST_CHARACTERS}")
        self._retriever = retriever
        self._deadline_seconds = deadline_seconds
        self._most_characters = most_characters
        self._required = required

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        """Raises NotFound for a collection that is not there, or not the caller's; Unavailable if it is required."""
        collection = exchange.prompt.rag_collection
        if collection is None:
            return await call_next(exchange)
        block = await self._block(exchange, collection)
        exchange.reply_headers[SOURCES_HEADER] = str(len(block.sources))
        if not block.sources:
            return await call_next(exchange)
        exchange.prompt.tell(block.text)
        told = Told(exchange, block.sources)
        exchange.on_settle(told.settle)
        reply = await call_next(exchange)
        if exchange.prompt.stream:
            reply.each_batch(told.batch)
        else:
            reply.each(told.whole)
        return reply

    async def _block(self, exchange: Exchange, collection: str) -> Block:
        """Empty where nothing was found, or could not be; what became of it is noted, however it ends."""
        began = exchange.elapsed
        block, outcome = Block(), "abandoned"
        try:
            found = await self._found(exchange, collection)
            passages = found[: exchange.prompt.rag_top_k]
            block = assemble(passages, nonce_of(passages), self._most_characters)
            outcome = "found" if block.sources else "empty"
            if isinstance(found, Found) and found.degraded:
                exchange.reply_headers[HEADER] = "degraded"
                exchange.notes["rag_degraded"] = found.degraded
        except NotFound:
            outcome = "not_found"
            raise NotFound(f"there is no collection {collection}", param="rag_collection", code="collection_not_found") from None
        except (TimeoutError, Unavailable) as problem:
            outcome = "timeout" if isinstance(problem, TimeoutError) else "unavailable"
            exchange.reply_headers[HEADER] = outcome
            if self._required:
                raise Unavailable("the documents cannot be searched now", param="rag_collection") from problem
        except Refusal:
            outcome = "refused"
            raise
        finally:
            _note(exchange, block, outcome, exchange.elapsed - began)
        return block

    async def _found(self, exchange: Exchange, collection: str) -> Sequence[Passage]:
        """Raises TimeoutError, and what the retriever raises."""
        prompt, key = exchange.prompt, exchange.caller.key
        reader = Reader(exchange.caller.user, key.allowed_collections if key is not None else None)
        question = question_of(prompt)
        if not question:
            return ()
        async with asyncio.timeout(self._deadline_seconds):
            return await self._retriever.search(reader, normalize("NFC", collection), question, prompt.rag_top_k)


def question_of(prompt: Prompt) -> str:
    """What is to be looked up: what the user said last, and what he said before where that is short ("and in Germany?")."""
    said = prompt.questions()
    last = next(said, "")[-MOST_QUESTION:]
    if len(asked(last)) < FEW_WORDS:
        last = f"{next(said, '')}\n{last}".strip()
    return last[-MOST_QUESTION:]


def _note(exchange: Exchange, block: Block, outcome: str, seconds: float) -> None:
    """In the log line and for the metrics, and in the record: never a text."""
    exchange.notes["rag"] = outcome
    exchange.notes["rag_ms"] = round(seconds * 1000, 1)
    if block.sources:
        exchange.notes["rag_sources"] = len(block.sources)
    exchange.record["rag"] = {
        "collection": exchange.prompt.rag_collection,
        "outcome": outcome,
        "degraded": exchange.notes.get("rag_degraded"),
        "ms": exchange.notes["rag_ms"],
        "characters": len(block.text),
        "sources": [
            _recorded(number, source, size) for number, (source, size) in enumerate(zip(block.sources, block.sizes, strict=True), 1)
        ],
    }


def _recorded(number: int, source: Passage, size: int) -> dict[str, Any]:
    return {
        "number": number,
        "id": source.id,
        "document": source.document,
        "title": source.title[:MOST_HEAD],
        "source": source.source[:MOST_HEAD],
        "score": source.score,
        "characters": size,
    }
