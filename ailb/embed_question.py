"""The vector of a question, which somebody waits for."""

import asyncio
from typing import Final

from ailb.embedding import Embedder, Vector

SECONDS: Final = 1.0
"""How long it is waited for: a provider takes some tenths of a second, as does a local model that is not loaded yet."""

REST_SECONDS: Final = 5.0
"""How long nobody asks an embedder that did not answer in time: one that hangs would cost every question a second."""


class Questions:
    """What `embedder` makes of them. `name` is its name."""

    def __init__(self, embedder: Embedder, *, seconds: float = SECONDS, rest_seconds: float = REST_SECONDS) -> None:
        self._embedder = embedder
        self._seconds = seconds
        self._rest_seconds = rest_seconds
        self._resting = 0.0

    @property
    def name(self) -> str:
        return self._embedder.name

    async def vector(self, question: str, *, user: str) -> Vector:
        """Raises TimeoutError, where it rests at once, and what the embedder raises."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._resting:
            raise TimeoutError
        try:
            async with asyncio.timeout(self._seconds):
                (vector,) = await self._embedder.embed([question], user=user)
        except TimeoutError:
            self._resting = loop.time() + self._rest_seconds
            raise
        return vector
