"""The sentence model in this process, on threads of its own."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Final, Self

from ailb.embed_files import PACKAGED, found
from ailb.embed_model import Model
from ailb.embedding import Vector

DIMENSION: Final = 384


class LocalEmbedder:
    """An Embedder. The model is loaded when the first text comes, or with `preload` at the start. `threads` texts are worked at a time,
    on threads of its own: onnxruntime leaves the interpreter to others meanwhile.
    """

    def __init__(self, *, model_path: str | None = None, threads: int = 1, preload: bool = False) -> None:
        """Raises ConfigError where there is no model."""
        self.files = found(model_path)
        self.name = self.files.name
        self.dimension: int | None = DIMENSION if self.name == PACKAGED else None
        self._preload = preload
        self._lock = Lock()
        self._model: Model | None = None
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="ailb-embed")

    async def __aenter__(self) -> Self:
        if self._preload:
            await self.embed(["ready"])
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """It stays: the next configuration has the same one."""

    async def embed(self, texts: Sequence[str], *, user: str = "") -> list[Vector]:
        """One after the other, so that a question does not wait for all of a document."""
        loop = asyncio.get_running_loop()
        vectors = [await loop.run_in_executor(self._threads, self._embed, text) for text in texts]
        if vectors:
            self.dimension = len(vectors[0])
        return vectors

    def _embed(self, text: str) -> Vector:
        with self._lock:
            if self._model is None:
                self._model = Model(self.files)
            model = self._model
        return model.embed(text)
