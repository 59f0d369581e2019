"""Documents, as the layers see them: passages that belong to a question."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ailb.embedding import Embedder


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks something up. `user` is never empty, and comes from who was authenticated; `collections` are those that the key is
    allowed, None: it does not say.
    """

    user: str
    collections: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. `id` is the chunk's, `source` where the document came from (a path, an address), `heading` the way to the
    passage in it. `score` has no unit: more is better.
    """

    id: str
    document: str
    text: str
    title: str = ""
    source: str = ""
    heading: str = ""
    page: int | None = None
    score: float = 0.0
    metadata: dict[str, Any] = field(default_factory=dict)


class Found(list[Passage]):
    """`degraded`: why the passages were found by their words only, in a collection that has more to go by. Empty: they were not."""

    def __init__(self, passages: Iterable[Passage] = (), degraded: str = "") -> None:
        super().__init__(passages)
        self.degraded = degraded


class Retriever(Protocol):
    """A service."""

    async def search(self, reader: Reader, collection: str, question: str, most: int) -> list[Passage]:
        """At most `most` passages, best first; it may be a `Found`.

        Raises NotFound for a collection that is not there or is not the reader's, Unavailable when it cannot be searched now.
        """


class Shelves(Protocol):
    """A service: where documents are, whoever embeds the questions."""

    def by(self, embedder: Embedder) -> Retriever:
        """One that asks this embedder."""
