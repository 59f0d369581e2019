"""The tables of documents. See `schema` for what all tables have in common.

They are the truth: what is not in `chunks` is not found, whatever a vector store still has. Beside them, and unknown to SQLAlchemy, stands
`chunks_words`, the lexical index of `chunks`: a table with FTS5 behind it in SQLite, one with a `tsvector` in PostgreSQL.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from ailb.store.schema import METADATA, ROW

COLLECTIONS: Final = Table(
    "collections",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("owner", String(256), nullable=False),
    Column("name", String(256), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("embedder", String(200), nullable=False),
    Column("dimension", Integer),
    Column("metadata", Text),
    UniqueConstraint("owner", "name", name="collections_once"),
)
"""`owner` is a user; empty: everybody's, as far as their keys allow it. `embedder` is empty for one that is searched by words only."""

DOCUMENTS: Final = Table(
    "documents",
    METADATA,
    Column("collection_id", String(40), primary_key=True),
    Column("id", String(256), primary_key=True),
    Column("title", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("metadata", Text),
)
"""`hash` is the SHA-256 of what came in: what has not changed is not taken in again. `chunks` is
written last, when all of them are there."""

CHUNKS: Final = Table(
    "chunks",
    METADATA,
    Column("id", ROW, primary_key=True, autoincrement=True),
    Column("collection_id", String(40), nullable=False),
    Column("document_id", String(256), nullable=False),
    Column("number", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("heading", Text, nullable=False),
    Column("page", Integer),
    Index("chunks_document", "collection_id", "document_id", "number"),
)
"""`document_id` is a version of a document (`documents_rows`); `heading` the way to it in there. Its `id` is the vector store's too."""

EMBEDDINGS: Final = Table(
    "embeddings",
    METADATA,
    Column("embedder", String(200), primary_key=True),
    Column("hash", LargeBinary(32), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
    Column("used_at", BigInteger, nullable=False, index=True),
)
"""What a provider has embedded already, by the SHA-256 of the text: it costs money. `vector` holds 32-bit floats, little-endian."""
