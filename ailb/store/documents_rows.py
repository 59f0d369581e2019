"""Collections and documents as they are read and shown, and where their rows are.

A document's chunks belong to one version of it: `chunks.document_id` is that version, 16 digits (the document's `updated_at`), a colon and
its id. A version is seen once the document's row has its number, so that a new one takes the old one's place in one step, however
many chunks the two have. While it comes in, it has a row of its own, whose id begins with a character that no document's id has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, cast, func, select
from sqlalchemy.engine import RowMapping

from ailb.embedding import Vector
from ailb.retrieval import Passage
from ailb.store.schema_documents import CHUNKS, COLLECTIONS, DOCUMENTS

SHARED: Final = ""
"""The owner of what is everybody's."""

GONE: Final = "\x1f"
"""The owner of a collection that is being deleted. No user's id has such a character."""

COMING: Final = "\x1f"
"""How the id of a document begins that is not all there."""

MOST_ID: Final = 200
"""Characters of a document's id."""

_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Collection:
    """`embedder` is empty for one that is searched by words only. `documents` and `chunks` are how many it has."""

    id: str
    owner: str
    name: str
    created_at: int
    embedder: str = ""
    dimension: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    documents: int = 0
    chunks: int = 0

    @property
    def shared(self) -> bool:
        return self.owner == SHARED


@dataclass(frozen=True, slots=True)
class Document:
    """Times are microseconds since 1970."""

    id: str
    hash: bytes
    title: str
    source: str
    bytes: int
    chunks: int
    created_at: int
    updated_at: int
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk that is to be written."""

    text: str
    heading: str = ""
    page: int | None = None
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """What comes in in pieces. `embedder` has made their vectors; empty: they have none."""

    id: str
    hash: bytes
    title: str = ""
    source: str = ""
    bytes: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    embedder: str = ""


def version(document: str, number: int) -> str:
    return f"{number:0{_DIGITS}d}:{document}"


def collections(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(COLLECTIONS).where(*conditions)


def counts(ids: Sequence[str]) -> Select[Any]:
    """`documents` and `chunks` of each `collection_id`."""
    sums = func.count().label("documents"), func.sum(DOCUMENTS.c.chunks).label("chunks")
    whole = DOCUMENTS.c.collection_id.in_(ids), DOCUMENTS.c.chunks > 0
    return select(DOCUMENTS.c.collection_id, *sums).where(*whole).group_by(DOCUMENTS.c.collection_id)


def _visible() -> Select[Any]:
    documents = and_(
        DOCUMENTS.c.collection_id == CHUNKS.c.collection_id,
        DOCUMENTS.c.id == func.substr(CHUNKS.c.document_id, _DIGITS + 2),
        DOCUMENTS.c.updated_at == cast(func.substr(CHUNKS.c.document_id, 1, _DIGITS), BigInteger),
        DOCUMENTS.c.chunks > 0,
    )
    own = CHUNKS.c.id, CHUNKS.c.number, CHUNKS.c.text, CHUNKS.c.heading, CHUNKS.c.page
    theirs = DOCUMENTS.c.id.label("document"), DOCUMENTS.c.title, DOCUMENTS.c.source, DOCUMENTS.c.metadata
    found = select(*own, *theirs).select_from(CHUNKS.join(DOCUMENTS, documents))
    # Without the function SQLite goes through all of the collection by its index, not to the few ids: 6 ms for 20,000 chunks, not 0.03.
    inside = func.coalesce(CHUNKS.c.collection_id, "") == bindparam("collection")
    return found.where(inside, CHUNKS.c.id.in_(bindparam("ids", expanding=True)))


_VISIBLE: Final = _visible()


def visible(collection: str, ids: Sequence[int]) -> Select[Any]:
    """Chunks with their documents: those of the versions that are seen."""
    return _VISIBLE.params(collection=collection, ids=list(ids))


def collection(row: RowMapping, counted: Mapping[str, Any] | None = None) -> Collection:
    told = counted or {}
    return Collection(
        row["id"],
        row["owner"],
        row["name"],
        int(row["created_at"]),
        row["embedder"],
        row["dimension"],
        _object(row["metadata"]),
        int(told.get("documents", 0)),
        int(told.get("chunks", 0)),
    )


def document(row: RowMapping) -> Document:
    return Document(
        row["id"],
        bytes(row["hash"]),
        row["title"],
        row["source"],
        int(row["bytes"]),
        int(row["chunks"]),
        int(row["created_at"]),
        int(row["updated_at"]),
        _object(row["metadata"]),
    )


def passage(row: RowMapping) -> Passage:
    return Passage(
        str(row["id"]),
        row["document"],
        row["text"],
        row["title"],
        row["source"],
        row["heading"],
        row["page"],
        metadata=_object(row["metadata"]),
    )


def dumped(metadata: Mapping[str, Any]) -> str | None:
    return orjson.dumps(dict(metadata)).decode() if metadata else None


def _object(text: str | None) -> dict[str, Any]:
    made: dict[str, Any] = orjson.loads(text) if text else {}
    return made
