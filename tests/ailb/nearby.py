"""Vectors without a vector store, and an embedder without a model, for whoever tests what is built on them."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from math import sqrt

from ailb.embedding import Vector
from ailb.errors import Unavailable
from ailb.vectors import packed
from ailb.words import asked

DIMENSION = 64


class Bag:
    """An Embedder: a text is the bag of its words. `vector`, if it is set, is what it makes of anything."""

    def __init__(self, name: str = "bag-1", dimension: int = DIMENSION) -> None:
        self.name = name
        self.dimension: int | None = dimension
        self.vector: Vector | None = None
        self.down = self.hung = False
        self.users: list[str] = []

    async def embed(self, texts: Sequence[str], *, user: str = "") -> list[Vector]:
        self.users.append(user)
        if self.down:
            raise Unavailable("the embedder is down")
        if self.hung:
            await asyncio.get_running_loop().create_future()
        return [self.vector if self.vector is not None else self.of(text) for text in texts]

    def of(self, text: str) -> Vector:
        numbers = [0.01] * (self.dimension or DIMENSION)
        for word in asked(text):
            numbers[sha256(word.encode()).digest()[0] % len(numbers)] += 1.0
        length = sqrt(sum(number * number for number in numbers))
        return [number / length for number in numbers]


class MemoryVectors:
    """`Vectors` in a dictionary. `forgets`: what is deleted stays, as in a store that could not be reached."""

    def __init__(self) -> None:
        self.there: dict[str, dict[int, list[float]]] = {}
        self.down = self.hung = self.forgets = False

    async def add(self, collection: str, ids: Sequence[int], vectors: Sequence[Vector]) -> None:
        self._check()
        rows = self.there.setdefault(collection, {})
        rows.update({id: packed(vector).tolist() for id, vector in zip(ids, vectors, strict=True)})

    async def delete(self, collection: str, ids: Sequence[int]) -> None:
        self._check()
        if not self.forgets:
            for id in ids:
                self.there.get(collection, {}).pop(id, None)

    async def drop(self, collection: str) -> None:
        self._check()
        self.there.pop(collection, None)

    async def query(self, collection: str, vector: Vector, most: int) -> list[tuple[int, float]]:
        self._check()
        if self.hung:
            await asyncio.get_running_loop().create_future()
        asked = packed(vector)
        cosines = [
            (id, sum(a * b for a, b in zip(asked, row, strict=True)) / _length(asked) / _length(row))
            for id, row in self.there.get(collection, {}).items()
        ]
        return sorted(cosines, key=lambda found: -found[1])[:most]

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the vectors are down")


def _length(vector: Sequence[float]) -> float:
    return sqrt(sum(number * number for number in vector))
