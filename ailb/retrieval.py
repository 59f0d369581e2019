"""Documents, as the layers see them: passages that belong to a question."""

from dataclasses import dataclass, field
from typing import Any, Protocol


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


class Retriever(Protocol):
    """A service."""

    async def search(self, reader: Reader, collection: str, question: str, most: int) -> list[Passage]:
        """At most `most` passages, best first.

        Raises NotFound for a collection that is not there or is not the reader's, Unavailable when it cannot be searched now.
        """
