"""Chroma in a folder, by the bindings to its Rust code: what its own client calls too, without the 800 modules around that, which take
60 MB and half a second. Nobody has promised that they stay as they are, so they are looked at before they are called. The first error that
they raise loads the rest after all: whatever happens every day is none.

The folder is one process's, so which collections are in it is read once.
"""

import resource
from array import array
from collections.abc import Iterable, Mapping
from functools import partial
from importlib import import_module
from inspect import signature
from math import isfinite
from typing import Any, Final

PACKAGE: Final = "chromadb_rust_bindings"
PREFIX: Final = "ailb-"
HOW: Final = '{"hnsw": {"space": "cosine"}, "embedding_function": {"type": "legacy"}}'
"""A collection is made: as the client does where it is told that vectors come from elsewhere."""

TENANT: Final = {"tenant": "default_tenant", "database": "default_database"}
FILES: Final = 5
"""That an open collection has."""

_CALLED: Final[Mapping[str, tuple[str, ...]]] = {
    "list_collections": ("limit",),
    "create_collection": ("name", "configuration_json_str", "get_or_create"),
    "delete_collection": ("name", *TENANT),
    "upsert": ("collection_id", "ids", "embeddings"),
    "delete": ("collection_id", "ids"),
    "query": ("collection_id", "ids", "query_embeddings", "n_results", "include"),
}


def bindings(path: str, package: str = PACKAGE) -> Any | None:
    """None where they are not the ones that are known here."""
    try:
        core = import_module(package)
        _check(core.SqliteDBConfig, ("hash_type", "migration_mode", "url"))
        _check(core.Bindings, ("allow_reset", "sqlite_db_config", "persist_path", "hnsw_cache_size"))
        for name, arguments in _CALLED.items():
            _check(partial(getattr(core.Bindings, name), None), arguments)
        how = {"hash_type": core.MigrationHash.MD5, "migration_mode": core.MigrationMode.Apply}
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    database = core.SqliteDBConfig(url=f"{path}/chroma.sqlite3", **how)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // FILES
    return core.Bindings(allow_reset=False, sqlite_db_config=database, persist_path=path, hnsw_cache_size=most)


def _check(called: Any, arguments: Iterable[str]) -> None:
    """Raises TypeError where it cannot be called with these, and ValueError where nobody knows."""
    signature(called).bind(**dict.fromkeys(arguments))


class Folder:
    """Does what a frame says, as `vectors_chroma.Chroma` does."""

    def __init__(self, bindings: Any) -> None:
        self._bindings = bindings
        self._ids = {each.name: str(each.id) for each in bindings.list_collections(limit=None)}

    def __call__(self, said: Mapping[str, Any], numbers: "array[float]") -> Any:
        """Raises what Chroma raises."""
        name = PREFIX + said["collection"]
        if said["do"] == "add":
            return self._add(name, said["ids"], numbers)
        if name not in self._ids:
            return None
        if said["do"] == "drop":
            return self._drop(name)
        if said["do"] == "delete":
            return self._delete(name, said["ids"])
        return self._query(name, numbers, said["most"])

    def _add(self, name: str, ids: Iterable[int], numbers: "array[float]") -> None:
        if name not in self._ids:
            made = self._bindings.create_collection(name=name, configuration_json_str=HOW, get_or_create=True)
            self._ids[name] = str(made.id)
        names = [str(id) for id in ids]
        self._bindings.upsert(collection_id=self._ids[name], ids=names, embeddings=rows(numbers, len(names)))

    def _delete(self, name: str, ids: Iterable[int]) -> None:
        self._bindings.delete(collection_id=self._ids[name], ids=[str(id) for id in ids])

    def _query(self, name: str, numbers: "array[float]", most: int) -> list[tuple[int, float]]:
        asked = {"query_embeddings": [numbers.tolist()], "n_results": most, "include": ["distances"]}
        found = self._bindings.query(collection_id=self._ids[name], ids=None, **asked)
        return nearest(found.ids[0], found.distances[0])

    def _drop(self, name: str) -> None:
        self._bindings.delete_collection(name=name, **TENANT)
        del self._ids[name]


def rows(numbers: "array[float]", count: int) -> list[list[float]]:
    width = len(numbers) // count
    return [numbers[at : at + width].tolist() for at in range(0, len(numbers), width)]


def nearest(ids: Iterable[str], distances: Iterable[float]) -> list[tuple[int, float]]:
    """Ids and cosines. A neighbour at no distance is none."""
    return [(int(id), 1.0 - float(distance)) for id, distance in zip(ids, distances, strict=True) if isfinite(distance)]
