"""The tables of conversations. See `schema` for what all tables have in common.

Beside them, and unknown to SQLAlchemy, stands `turns_words`, the lexical index of `turns`: a table with FTS5 behind it in SQLite,
one with a `tsvector` in PostgreSQL. The migration makes it, `words` reads and writes it.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from ailb.store.schema import METADATA, ROW

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("user_id", String(256), primary_key=True),
    Column("session_id", String(256), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("begun", BigInteger, nullable=False, server_default="0"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    Column("summary", Text, nullable=False),
    Column("summarized", BigInteger, nullable=False, server_default="0"),
    Index("sessions_updated", "updated_at"),
)
"""`begun` is the number of the last turn that began, `bytes` what its turns take, `summarized` the last turn that is in the `summary`."""

TURNS: Final = Table(
    "turns",
    METADATA,
    Column("id", ROW, primary_key=True, autoincrement=True),
    Column("user_id", String(256), nullable=False),
    Column("session_id", String(256), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("messages", Text, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("cut", Boolean, nullable=False),
    Column("embedder", String(200)),
    Column("vector", LargeBinary),
    UniqueConstraint("user_id", "session_id", "number", name="turns_once"),
)
"""`messages` is JSON. `vector` holds 32-bit floats, little-endian, made by `embedder`."""
