"""Chroma, by its own client: a folder, or a server. It blocks, so `vectors_child` runs it in a process of its own.

One of Chroma's collections for each of ours: a `where` on a shared one takes ten times as long, and forgetting it once shows everybody's.
"""

from array import array
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import chromadb
from chromadb.config import Settings
from chromadb.errors import NotFoundError

from ailb.vectors_folder import PREFIX, nearest, rows


def folder(path: str) -> Any:
    return chromadb.PersistentClient(path=path, settings=Settings(anonymized_telemetry=False))


def server(url: str, token: str) -> Any:
    """The client of a server. `token` goes into the header that Chroma's token authentication and proxies before it look at."""
    parts = urlsplit(url)
    headers = {"Authorization": f"Bearer {token}"} if token else None
    ssl = parts.scheme == "https"
    port = parts.port or (443 if ssl else 80)
    return chromadb.HttpClient(
        host=parts.hostname or "", port=port, ssl=ssl, headers=headers, settings=Settings(anonymized_telemetry=False)
    )


class Chroma:
    """Does what a frame says. Collections that were opened are kept, since looking one up takes as long as half a query."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._open: dict[str, Any] = {}

    def __call__(self, said: Mapping[str, Any], numbers: "array[float]") -> Any:
        """Raises what Chroma raises."""
        name = PREFIX + said["collection"]
        if said["do"] == "drop":
            return self._drop(name)
        open = self._made if said["do"] == "add" else self._known
        does = {"add": _add, "delete": _delete, "query": _query}[said["do"]]
        return self._with(name, open, partial(does, said, numbers))

    def _with(self, name: str, open: Callable[[str], Any], work: Callable[[Any], Any]) -> Any:
        """`work` on the collection, and once more where another process has deleted the one that was known; None where there is none."""
        if (known := self._open.get(name)) is not None:
            try:
                return work(known)
            except NotFoundError:
                self._open.pop(name, None)
        if (there := open(name)) is None:
            return None
        self._open[name] = there
        return work(there)

    def _made(self, name: str) -> Any:
        return self._client.get_or_create_collection(name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}})

    def _known(self, name: str) -> Any:
        try:
            return self._client.get_collection(name, embedding_function=None)
        except NotFoundError:
            return None

    def _drop(self, name: str) -> None:
        self._open.pop(name, None)
        if self._known(name) is not None:
            self._client.delete_collection(name)


def _add(said: Mapping[str, Any], numbers: "array[float]", there: Any) -> None:
    there.upsert(ids=[str(id) for id in said["ids"]], embeddings=rows(numbers, len(said["ids"])))


def _delete(said: Mapping[str, Any], _: "array[float]", there: Any) -> None:
    there.delete(ids=[str(id) for id in said["ids"]])


def _query(said: Mapping[str, Any], numbers: "array[float]", there: Any) -> list[tuple[int, float]]:
    found = there.query(query_embeddings=[numbers.tolist()], n_results=said["most"], include=["distances"])
    return nearest(found["ids"][0], found["distances"][0])
