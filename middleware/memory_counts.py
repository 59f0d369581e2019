"""How many tokens are in a text, without anybody waiting until a vocabulary is loaded."""

from math import ceil
from typing import Final

from ailb.tokens import Counter

BYTES: Final = 3
"""For a token, where nobody has counted: English has four and a half, Chinese three."""


class Counts:
    """Counts exactly once the counter was loaded, which takes a quarter of a second in which the process does nothing else: the next
    request of a session may wait for its first turn, so that is written down with an estimate.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._loading = False
        self._loaded = False

    async def of(self, text: str) -> int:
        return await self._counter.count(text) if self._loaded else about(text)

    async def load(self) -> None:
        """Once, whoever asks."""
        if not self._loading:
            self._loading = True
            await self._counter.count("")
            self._loaded = True


def about(text: str) -> int:
    return ceil(len(text.encode(errors="replace")) / BYTES)
