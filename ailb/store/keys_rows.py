"""Virtual keys as rows: what is read, and the statements that write, each within its caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.keys import Key
from ailb.store.schema import BUDGETS, KEYS, REVISIONS, SECRETS

SECOND: Final = 1_000_000
_JSON: Final = ("allowed_models", "allowed_collections", "metadata")
_QUOTAS: Final[Mapping[str, str]] = {"quota_nanos": "limit_nanos", "quota_tokens": "limit_tokens"}


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of a key. Times are microseconds since 1970; `status` is active, revoked or expired."""

    id: str
    user: str
    name: str
    prefix: str
    status: str
    created_at: int
    expires_at: int | None
    last_used: int | None
    rate_limit_rpm: int | None
    rate_limit_tpm: int | None
    max_parallel: int | None
    allowed_models: list[str] | None
    allowed_collections: list[str] | None
    metadata: dict[str, Any] | None
    quota_nanos: int | None
    quota_tokens: int | None


def records(now: int, *conditions: ColumnElement[bool]) -> Select[Any]:
    quota = and_(BUDGETS.c.scope == "key", BUDGETS.c.scope_id == KEYS.c.id, BUDGETS.c.period == "monthly")
    columns = (KEYS, BUDGETS.c.limit_nanos.label("quota_nanos"), BUDGETS.c.limit_tokens.label("quota_tokens"))
    return select(*columns).select_from(KEYS.outerjoin(BUDGETS, quota)).where(*conditions)


def record(row: RowMapping, now: int) -> Record:
    expired = row["status"] == "active" and row["expires_at"] is not None and row["expires_at"] <= now
    values = dict(row)
    values["user"] = values.pop("user_id")
    values["status"] = "expired" if expired else row["status"]
    values |= {name: orjson.loads(row[name]) if row[name] else None for name in _JSON}
    return Record(**values)


def in_status(status: str, now: int) -> ColumnElement[bool]:
    if status == "revoked":
        return KEYS.c.status == "revoked"
    alive = or_(KEYS.c.expires_at.is_(None), KEYS.c.expires_at > now)
    return and_(KEYS.c.status == "active", alive if status == "active" else KEYS.c.expires_at <= now)


def by_hash(hashes: Sequence[bytes]) -> Select[Any]:
    """Active keys whose secret has one of the hashes; `hash` and `until` stand beside the key's columns."""
    columns = (KEYS, SECRETS.c.hash, SECRETS.c.until)
    joined = SECRETS.join(KEYS, KEYS.c.id == SECRETS.c.key_id)
    return select(*columns).select_from(joined).where(SECRETS.c.hash.in_(hashes), KEYS.c.status == "active")


def key(row: RowMapping) -> Key:
    models, collections = (tuple(orjson.loads(row[name])) if row[name] else None for name in _JSON[:2])
    ends = [end for end in (row["expires_at"], row["until"]) if end is not None]
    return Key(
        id=row["id"],
        user=row["user_id"],
        name=row["name"],
        rate_limit_rpm=row["rate_limit_rpm"],
        rate_limit_tpm=row["rate_limit_tpm"],
        max_parallel=row["max_parallel"],
        allowed_models=models,
        allowed_collections=collections,
        expires=min(ends) / SECOND if ends else None,
    )


def columns(terms: Mapping[str, Any]) -> dict[str, Any]:
    """What of a key's terms stands in its own row; lists and objects as JSON."""
    own = {name: value for name, value in terms.items() if name not in _QUOTAS}
    return own | {name: orjson.dumps(own[name]).decode() for name in _JSON if own.get(name) is not None}


def lasting(terms: Mapping[str, Any]) -> dict[str, int | None]:
    """What of a key's terms is a budget, by that row's columns."""
    return {column: terms[name] for name, column in _QUOTAS.items() if name in terms}


def quota(key_id: str) -> Select[Any]:
    """The key's budget, if it has one: what its quotas are, and what else stays when they change."""
    mine = and_(BUDGETS.c.scope == "key", BUDGETS.c.scope_id == key_id, BUDGETS.c.period == "monthly")
    return select(BUDGETS.c.limit_nanos, BUDGETS.c.limit_tokens, BUDGETS.c.soft_limit_ppm).where(mine)


async def put_secret(connection: AsyncConnection, key_id: str, digest: bytes, *, until: int, now: int) -> None:
    """The newest secret of a key; those before it end at `until` at the latest, and those whose end has come are forgotten."""
    mine = SECRETS.c.key_id == key_id
    await connection.execute(update(SECRETS).where(mine, or_(SECRETS.c.until.is_(None), SECRETS.c.until > until)).values(until=until))
    await connection.execute(delete(SECRETS).where(mine, SECRETS.c.until <= now))
    await connection.execute(insert(SECRETS).values(hash=digest, key_id=key_id))


async def changed_now(connection: AsyncConnection, name: str) -> None:
    """Tells every process that there is something new to read."""
    mine = REVISIONS.c.name == name
    changed = await connection.execute(update(REVISIONS).where(mine).values(number=REVISIONS.c.number + 1))
    if changed.rowcount == 0:
        await connection.execute(insert(REVISIONS).values(name=name, number=1))


def revision(name: str) -> Select[Any]:
    """Its one row is missing as long as nothing was ever changed."""
    return select(REVISIONS.c.number).where(REVISIONS.c.name == name)


def count(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(func.count().label("total")).select_from(KEYS).where(*conditions)
