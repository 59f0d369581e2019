"""Documents in memory, for a layer's test."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ailb.errors import NotFound, Unavailable
from ailb.retrieval import Passage, Reader


@dataclass(frozen=True, slots=True)
class Asked:
    """One search."""

    reader: Reader
    collection: str
    question: str
    most: int


class MemoryRetriever:
    """`collections` are the passages of each, by its owner and name: a reader finds the first ones of his own, whatever he asks.

    `asked` is every search. While `down`, everything raises Unavailable; while `hung`, nothing comes back. `waiting`: how many wait now.
    """

    def __init__(self, collections: Mapping[tuple[str, str], Sequence[Passage]]) -> None:
        self.collections = dict(collections)
        self.asked: list[Asked] = []
        self.down = self.hung = False
        self.waiting = 0

    async def search(self, reader: Reader, collection: str, question: str, most: int) -> list[Passage]:
        self.asked.append(Asked(reader, collection, question, most))
        await self._wait()
        if self.down:
            raise Unavailable("the documents are down")
        allowed = reader.collections is None or collection in reader.collections
        passages = self.collections.get((reader.user, collection))
        if passages is None or not allowed:
            raise NotFound(f"no collection {collection}")
        return list(passages[:most])

    async def _wait(self) -> None:
        self.waiting += 1
        try:
            if self.hung:
                await asyncio.get_running_loop().create_future()
            await asyncio.sleep(0)
        finally:
            self.waiting -= 1
