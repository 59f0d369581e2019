"""The tables, one schema for SQLite and PostgreSQL.

Money is integer nano-dollars, points in time are integer microseconds since 1970 in UTC: nothing here is a float. An empty text stands
for "none" where a column is part of a primary key.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA: Final = MetaData()
ROW = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows only where the type is INTEGER to the letter."""


def _amount(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


KEYS: Final = Table(
    "keys",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("user_id", String(256), nullable=False, index=True),
    Column("name", String(256), nullable=False),
    Column("prefix", String(20), nullable=False),
    Column("status", String(10), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used", BigInteger),
    Column("rate_limit_rpm", BigInteger),
    Column("rate_limit_tpm", BigInteger),
    Column("max_parallel", BigInteger),
    Column("allowed_models", Text),
    Column("allowed_collections", Text),
    Column("metadata", Text),
    CheckConstraint("status IN ('active', 'revoked')", name="keys_status"),
)
"""Virtual keys without their secrets. Lists and `metadata` are JSON. A key's quotas are budgets like any other."""

SECRETS: Final = Table(
    "key_secrets",
    METADATA,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("key_id", String(40), nullable=False, index=True),
    Column("until", BigInteger),
)
"""SHA-256 of each secret. After a rotation the old one is good `until` its grace is over."""

BUDGETS: Final = Table(
    "budgets",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("scope", String(10), nullable=False),
    Column("scope_id", String(256), nullable=False),
    Column("period", String(10), nullable=False),
    Column("limit_nanos", BigInteger),
    Column("limit_tokens", BigInteger),
    Column("soft_limit_ppm", Integer, nullable=False, server_default="800000"),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("scope", "scope_id", "period", name="budgets_once"),
    CheckConstraint("scope IN ('key', 'user', 'model', 'provider', 'global')", name="budgets_scope"),
    CheckConstraint("period IN ('daily', 'weekly', 'monthly', 'total')", name="budgets_period"),
    CheckConstraint("limit_nanos IS NULL OR limit_nanos >= 0", name="budgets_nanos"),
    CheckConstraint("limit_tokens IS NULL OR limit_tokens >= 0", name="budgets_tokens"),
)
"""`scope_id` is empty for `global`. `soft_limit_ppm` is the soft limit's share of the limit, in millionths."""

COUNTERS: Final = Table(
    "counters",
    METADATA,
    Column("budget_id", String(40), primary_key=True),
    Column("window_start", BigInteger, primary_key=True),
    _amount("spent_nanos"),
    _amount("spent_tokens"),
    _amount("held_nanos"),
    _amount("held_tokens"),
    *(CheckConstraint(f"{name} >= 0", name=f"counters_{name}") for name in ("spent_nanos", "spent_tokens", "held_nanos", "held_tokens")),
)
"""What a budget has spent and promised in one of its windows."""

HOLDS: Final = Table(
    "holds",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("process_id", String(40), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("user_id", String(256), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("provider", String(256), nullable=False),
    Column("model", String(256), nullable=False),
    Column("asked", String(256), nullable=False),
    Column("session_id", String(256)),
    Column("rates", Text),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("nanos", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("windows", Text, nullable=False),
    CheckConstraint("nanos >= 0 AND tokens >= 0", name="holds_amounts"),
)
"""Attempts that are under way. `windows` is JSON: `[[budget_id, window_start], ...]`, the counters in which it is held."""

ENTRIES: Final = Table(
    "entries",
    METADATA,
    Column("id", ROW, primary_key=True, autoincrement=True),
    Column("hold_id", String(40), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("user_id", String(256), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("provider", String(256), nullable=False),
    Column("model", String(256), nullable=False),
    Column("asked", String(256), nullable=False),
    Column("session_id", String(256)),
    Column("status", String(12), nullable=False),
    Column("http_status", Integer),
    Column("error", Text),
    *(
        _amount(name)
        for name in ("input", "output", "cached", "cache_written", "cache_written_1h", "reasoning", "audio_input", "audio_output")
    ),
    Column("nanos", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("rates", Text),
    Column("latency_ms", BigInteger),
    Column("first_event_ms", BigInteger),
    Column("corrects", BigInteger),
    Column("corrected_at", BigInteger),
    Column("reason", Text),
    UniqueConstraint("hold_id", "kind", name="entries_once"),
    CheckConstraint("kind IN ('attempt', 'correction')", name="entries_kind"),
    Index("entries_at", "at"),
    Index("entries_key", "key_id", "at"),
    Index("entries_user", "user_id", "at"),
)
"""The ledger: one row an attempt, written once and never changed. A correction is a row of its own, with the id of
the row that it `corrects`, at the same time, and the difference in `nanos`, which may be negative."""

SPEND: Final = Table(
    "spend",
    METADATA,
    Column("day", BigInteger, primary_key=True),
    Column("user_id", String(256), primary_key=True),
    Column("key_id", String(40), primary_key=True),
    Column("provider", String(256), primary_key=True),
    Column("model", String(256), primary_key=True),
    Column("asked", String(256), primary_key=True),
    _amount("nanos"),
    _amount("tokens"),
    _amount("requests"),
)
"""The ledger's sums by day (its first microsecond), kept in the same transaction: what is left of rows that were pruned."""

PROCESSES: Final = Table(
    "processes",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
"""The gateways that are alive. Holds of one that was not seen for a while are settled at their worst case."""

REPLAYS: Final = Table(
    "replays",
    METADATA,
    Column("owner", String(300), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("process_id", String(40), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("done", Boolean, nullable=False),
    Column("reply", LargeBinary),
)
"""Answers by `Idempotency-Key`. `owner` is who sent it."""

REVISIONS: Final = Table(
    "revisions",
    METADATA,
    Column("name", String(20), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""Counts the changes of `keys` and `budgets`, so that every process sees them by asking for two numbers."""
