"""Documents and their vectors, as the configuration has them: what is open as long as the store is."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from ailb.config import Config
from ailb.embed_local import LocalEmbedder
from ailb.embedding import Embedder
from ailb.errors import ConfigError
from ailb.ingest.parser import Parser
from ailb.retriever import Searcher
from ailb.store.database import Database
from ailb.store.documents import Documents
from ailb.store.documents_rows import Piece
from ailb.tally import Tally
from ailb.vectors import NoVectors, Vectors
from ailb.vectors_apart import Apart

LOG = structlog.get_logger("ailb.library")
WHERE: Final = "[vectors].url"
EXTRA: Final = "pip install 'ailb[rag]'"


class Library:
    """The `Shelves` service. Open between `async with` and its end. `problem`: why there are no vectors. `model`: the local one's
    folder.
    """

    def __init__(
        self, database: Database, vectors: Vectors, tally: Tally | None = None, *, problem: str = "", model: str | None = None
    ) -> None:
        self.documents = Documents(database, vectors)
        self.vectors = vectors
        self._parser = Parser(model_path=model)
        self._tally = tally
        self._problem = problem
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if self._problem:
            LOG.info("documents are found by their words only", reason=self._problem)
        async with AsyncExitStack() as opening:
            if isinstance(self.vectors, AbstractAsyncContextManager):
                await opening.enter_async_context(self.vectors)
            await opening.enter_async_context(self._parser)
            await opening.enter_async_context(self.documents)
            self._open = opening.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._open.aclose()

    @property
    def dependencies(self) -> Mapping[str, bool | None]:
        return {"vectors": self.vectors.up} if isinstance(self.vectors, Apart) else {}

    async def pieces(
        self, name: str, content: bytes, content_type: str, embedder: Embedder | None, user: str
    ) -> AsyncGenerator[tuple[str, list[Piece], bool], None]:
        """A document's title and pieces, some at a time, and whether they are the last. `embedder`: None for pieces without vectors.

        The local model embeds where the document is read, in the worker; a provider is asked from here. Raises BadRequest for what cannot
        be read, Unavailable, and what the embedder raises.
        """
        near = isinstance(embedder, LocalEmbedder)
        async with self._parser.document(name, content, content_type=content_type, embed=near) as document:
            while chunks := await document.more():
                pieces = [Piece(each["text"], each["heading"], each["page"], each.get("vector")) for each in chunks]
                if embedder is not None and not near:
                    pieces = await self.embedded(pieces, embedder, user)
                yield document.title, pieces, document.given == document.total

    async def embedded(self, pieces: Sequence[Piece], embedder: Embedder, user: str) -> list[Piece]:
        """With vectors. Raises what the embedder raises."""
        from ailb.ingest.chunk import embedded  # it needs the extra, and only here

        vectors = await embedder.embed([embedded(piece.heading, piece.text) for piece in pieces], user=user)
        return [replace(piece, vector=vector) for piece, vector in zip(pieces, vectors, strict=True)]

    def by(self, embedder: Embedder) -> Searcher:
        return Searcher(self.documents, self.vectors, embedder, self._tally)

    def embedder(self, embedder: Embedder) -> str:
        """The name under which new collections have vectors; empty: they have none."""
        return "" if isinstance(self.vectors, NoVectors) else embedder.name


def library(config: Config, database: Database, tally: Tally | None = None) -> Library:
    """Nothing is opened. Raises ConfigError for a folder that several processes would have to share."""
    url = config.vectors.url
    served = url.startswith(("http://", "https://"))
    if config.embed.embedder == "none":
        return Library(database, NoVectors(), tally)
    if config.server.workers > 1 and not served:
        asked = "vectors" in config.model_fields_set or any(layer.use == "rag" for layer in config.layer)
        if asked:
            ways = 'a Chroma server, as http://host:port (CHROMA_URL can set it too), or embed.embedder = "none", or server.workers = 1'
            raise ConfigError(WHERE, f"a folder is for one process; set {ways}")
        return Library(database, NoVectors(), tally, problem=f"there are several server.workers, and {WHERE} is a folder")
    if find_spec("chromadb") is None:
        if "vectors" in config.model_fields_set:
            raise ConfigError(WHERE, f"needs Chroma: {EXTRA}")
        return Library(database, NoVectors(), tally, problem=f"Chroma is not installed: {EXTRA}")
    model = config.embed.model_path
    token = config.vectors.token.reveal() if config.vectors.token else ""
    where = {"url": url, "token": token} if served else {"folder": str(Path(url).expanduser().resolve())}
    return Library(database, Apart(where), tally, model=model)
