"""Texts as points in space: near each other where they mean the same."""

from collections.abc import Sequence
from typing import Protocol

Vector = Sequence[float]


class Embedder(Protocol):
    """A service. `name` says which model it is, to the version: vectors of two names must never meet. Vectors have length 1.

    `dimension` is None as long as it is not known. `user` pays, where it costs something.
    """

    name: str
    dimension: int | None

    async def embed(self, texts: Sequence[str], *, user: str = "") -> list[Vector]:
        """One for each text. Raises Unavailable where it cannot be done now."""
