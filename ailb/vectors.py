"""Vectors by collection, in a store that finds what is near. It is no truth: it may know rows that are gone, and miss some."""

from array import array
from collections.abc import Sequence
from math import hypot, isfinite
from typing import Protocol

from ailb.embedding import Vector
from ailb.errors import Unavailable

MOST_DIMENSION = 4096


class Vectors(Protocol):
    """A service. `collection` is the id of a collection, `ids` are those of its chunks. Vectors have been through `packed`.

    Methods raise Unavailable where the store does not answer in time. Of a collection that it does not know nothing is found, and
    nothing is there to be deleted.
    """

    async def add(self, collection: str, ids: Sequence[int], vectors: Sequence[Vector]) -> None:
        """Once it returns, they are found. Ids that are there get the new vectors."""

    async def delete(self, collection: str, ids: Sequence[int]) -> None: ...

    async def drop(self, collection: str) -> None:
        """All of a collection."""

    async def query(self, collection: str, vector: Vector, most: int) -> list[tuple[int, float]]:
        """Ids and cosines, the nearest first."""


class NoVectors:
    """Where there is no vector store: nothing can be added, and so there is nothing to be found or deleted."""

    async def add(self, collection: str, ids: Sequence[int], vectors: Sequence[Vector]) -> None:
        """Raises Unavailable."""
        raise Unavailable("this gateway has no vector store")

    async def delete(self, collection: str, ids: Sequence[int]) -> None:
        """There are none."""

    async def drop(self, collection: str) -> None:
        """As before."""

    async def query(self, collection: str, vector: Vector, most: int) -> list[tuple[int, float]]:
        """Raises Unavailable."""
        raise Unavailable("this gateway has no vector store")


def packed(vector: Vector, dimension: int | None = None) -> "array[float]":
    """As 32-bit floats. Raises ValueError for what has no place in space: a store answers it with neighbours all the same."""
    if not 1 <= len(vector) <= MOST_DIMENSION:
        raise ValueError(f"must have 1 to {MOST_DIMENSION} numbers")
    if dimension is not None and len(vector) != dimension:
        raise ValueError(f"has {len(vector)} numbers, and those of the collection have {dimension}")
    made = array("f", vector)
    if not all(map(isfinite, made)):
        raise ValueError("must have finite numbers")
    if not 1e-6 < hypot(*made) < 1e6:
        raise ValueError("has no direction: its length must be about 1")
    return made
