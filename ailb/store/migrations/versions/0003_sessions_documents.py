"""Conversations and documents, and their lexical indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _sessions()
    _documents()
    for name in ("turns_words", "chunks_words"):
        _words(name)


def _words(name: str) -> None:
    """`space` is whose words they are: every question names it. A row has the id of what it is about."""
    if op.get_bind().dialect.name == "sqlite":
        tokens = "tokenize = 'porter unicode61 remove_diacritics 2'"
        op.execute(f"CREATE VIRTUAL TABLE {name} USING fts5(space, words, {tokens})")
        return
    op.execute(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, space VARCHAR(64) NOT NULL, words TSVECTOR NOT NULL)")
    op.execute(f"CREATE INDEX {name}_space ON {name} (space)")
    op.execute(f"CREATE INDEX {name}_gin ON {name} USING gin (words)")


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("user_id", sa.String(length=256), nullable=False),
        sa.Column("session_id", sa.String(length=256), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("begun", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("summarized", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("user_id", "session_id"),
    )
    op.create_index("sessions_updated", "sessions", ["updated_at"])
    op.create_table(
        "turns",
        sa.Column("id", _ROW, autoincrement=True, nullable=False),
        sa.Column("user_id", sa.String(length=256), nullable=False),
        sa.Column("session_id", sa.String(length=256), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("cut", sa.Boolean(), nullable=False),
        sa.Column("embedder", sa.String(length=200), nullable=True),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "session_id", "number", name="turns_once"),
    )


def _documents() -> None:
    op.create_table(
        "collections",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("embedder", sa.String(length=200), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("owner", "name", name="collections_once"),
    )
    op.create_table(
        "documents",
        sa.Column("collection_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=256), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("collection_id", "id"),
    )
    op.create_table(
        "chunks",
        sa.Column("id", _ROW, autoincrement=True, nullable=False),
        sa.Column("collection_id", sa.String(length=40), nullable=False),
        sa.Column("document_id", sa.String(length=256), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("chunks_document", "chunks", ["collection_id", "document_id", "number"])
    op.create_table(
        "embeddings",
        sa.Column("embedder", sa.String(length=200), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("embedder", "hash"),
    )
    op.create_index("ix_embeddings_used_at", "embeddings", ["used_at"])
