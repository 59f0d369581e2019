"""What comes in with calls of `/api/rag`, and what is told of collections and documents."""

import re
import unicodedata
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, BeforeValidator, Field

from ailb.admin import when
from ailb.admin.bodies import Body
from ailb.errors import BadRequest
from ailb.retrieval import Passage
from ailb.store.documents_rows import MOST_ID, Collection, Document
from ailb.vectors import MOST_DIMENSION

MOST_JSON: Final = 2 * 1024 * 1024
"""Bytes of a body of JSON; files may have as many as `server.max_body_bytes`."""

MOST_METADATA: Final = 16 * 1024
"""Bytes, as JSON."""

MOST_TEXT: Final = 20_000
"""Characters of a chunk."""

MOST_AT_ONCE: Final = 100
"""Documents in a request."""

_NAME: Final = re.compile(r"[^\W_][\w.\-]{0,127}")


def name_of(value: str) -> str:
    """A collection's name in the one way to write it. Raises ValueError."""
    name = unicodedata.normalize("NFC", value)
    if not _NAME.fullmatch(name):
        raise ValueError("must be 1 to 128 letters, digits, '.', '-' and '_', and begin with a letter or a digit")
    return name


def id_of(value: str) -> str:
    """A document's. Raises ValueError."""
    id = unicodedata.normalize("NFC", value)
    if not 1 <= len(id) <= MOST_ID or not id.isprintable() or id != id.strip() or id.startswith("/") or id.endswith("/"):
        raise ValueError(f"must be 1 to {MOST_ID} printable characters, with no space or '/' at the ends")
    return id


def asked_name(value: str) -> str:
    """One that stands in a path. Raises BadRequest."""
    try:
        return name_of(value)
    except ValueError as problem:
        raise BadRequest(f"name: {problem}", param="name") from None


def asked_id(value: str) -> str:
    """One that stands in a path. Raises BadRequest."""
    try:
        return id_of(value)
    except ValueError as problem:
        raise BadRequest(f"id: {problem}", param="id") from None


def _text(value: str) -> str:
    """PostgreSQL takes no NUL."""
    return value.replace("\0", " ")


def _some(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return _text(value)


def _small(value: dict[str, Any]) -> dict[str, Any]:
    try:
        dumped = orjson.dumps(value)
    except TypeError:
        raise ValueError("has a number beyond 64 bits") from None
    if len(dumped) > MOST_METADATA:
        raise ValueError(f"must be at most {MOST_METADATA} bytes of JSON")
    if b"\\u0000" in dumped:
        raise ValueError("must not have the character U+0000")
    return value


def _digest(value: object) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise ValueError("must be a SHA-256 in hexadecimal digits")
    return bytes.fromhex(value)


Name = Annotated[str, AfterValidator(name_of)]
Id = Annotated[str, AfterValidator(id_of)]
Line = Annotated[str, Field(max_length=1000), AfterValidator(_text)]
Text = Annotated[str, AfterValidator(_some)]
Metadata = Annotated[dict[str, Any], AfterValidator(_small)]
Numbers = Annotated[list[float], Field(min_length=1, max_length=MOST_DIMENSION)]


class NewCollection(Body):
    name: Name
    shared: bool = False
    metadata: Metadata = Field(default_factory=dict)


class NewDocument(Body):
    """`id` is made of the text where there is none."""

    text: Text
    id: Id | None = None
    title: Line = ""
    source: Line = ""
    metadata: Metadata = Field(default_factory=dict)


class NewDocuments(Body):
    documents: Annotated[list[NewDocument], Field(min_length=1, max_length=MOST_AT_ONCE)]


class NewChunk(Body):
    text: Annotated[str, Field(max_length=MOST_TEXT), AfterValidator(_some)]
    heading: Line = ""
    page: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    vector: Numbers | None = None


class NewChunks(Body):
    """Some of a document's, from the number `first` on. `embedder` is the name of what has made their vectors."""

    hash: Annotated[bytes, BeforeValidator(_digest)]
    chunks: Annotated[list[NewChunk], Field(min_length=1, max_length=256)]
    title: Line = ""
    source: Line = ""
    bytes: Annotated[int, Field(ge=0, le=1 << 40)] = 0
    metadata: Metadata = Field(default_factory=dict)
    embedder: Annotated[str, Field(max_length=200), AfterValidator(_text)] = ""
    first: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    last: bool = True


class Search(Body):
    query: Annotated[str, Field(max_length=20_000), AfterValidator(_some)]
    top_k: Annotated[int, Field(ge=1, le=50)] = 5


def collection_data(collection: Collection) -> dict[str, Any]:
    return {
        "name": collection.name,
        "shared": collection.shared,
        "embedder": collection.embedder or None,
        "dimension": collection.dimension,
        "documents": collection.documents,
        "chunks": collection.chunks,
        "created_at": when.text(collection.created_at),
        "metadata": collection.metadata,
    }


def document_data(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "hash": document.hash.hex(),
        "title": document.title,
        "source": document.source,
        "bytes": document.bytes,
        "chunks": document.chunks,
        "created_at": when.text(document.created_at),
        "updated_at": when.text(document.updated_at),
        "metadata": document.metadata,
    }


def passage_data(passage: Passage) -> dict[str, Any]:
    return {
        "id": passage.id,
        "document": passage.document,
        "text": passage.text,
        "title": passage.title,
        "source": passage.source,
        "heading": passage.heading,
        "page": passage.page,
        "score": passage.score,
        "metadata": passage.metadata,
    }
