"""Texts as points in space: near each other where they mean the same."""

from collections.abc import Mapping, Sequence
from typing import Protocol

Vector = Sequence[float]


class Embedder(Protocol):
    """A service. `name` says which model it is, to the version: vectors of two names must never meet. Vectors have length 1.

    `dimension` is None as long as it is not known. `user` pays, where it costs something. With an empty `name` there is none: texts are
    found by their words only.
    """

    name: str
    dimension: int | None

    async def embed(self, texts: Sequence[str], *, user: str = "") -> list[Vector]:
        """One for each text. Raises Unavailable where it cannot be done now, BudgetExceeded or Unpriced where `user` cannot pay for it."""


class Embedded(Protocol):
    """A service: what a provider has embedded already, by the embedder's name and the SHA-256 of the text."""

    async def find(self, embedder: str, hashes: Sequence[bytes]) -> Mapping[bytes, Vector]:
        """Those that there are. Raises Unavailable."""

    async def keep(self, embedder: str, vectors: Mapping[bytes, Vector]) -> None:
        """Raises Unavailable."""
