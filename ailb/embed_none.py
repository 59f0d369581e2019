"""Where nothing can be embedded: without a model, texts are found by their words."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import structlog

from ailb.embedding import Vector
from ailb.errors import Unavailable

LOG = structlog.get_logger("ailb.embed")


class NoEmbedder:
    """`problem` is why. With a `name` there is one, which cannot be asked now."""

    dimension: int | None = None

    def __init__(self, problem: str = 'embed.embedder = "none"', name: str = "") -> None:
        self.name = name
        self.problem = problem

    async def __aenter__(self) -> Self:
        LOG.info("documents are found by their words only", embedder=self.name or "none", reason=self.problem)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """There is nothing to close."""

    async def embed(self, texts: Sequence[str], *, user: str = "") -> list[Vector]:
        """Raises Unavailable."""
        raise Unavailable(f"nothing can be embedded: {self.problem}")
