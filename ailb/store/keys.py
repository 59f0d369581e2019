"""Virtual keys in the database. Of a secret only its SHA-256 is stored: with 256 random bits there is nothing to guess."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from secrets import token_hex, token_urlsafe
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import BigInteger, ColumnElement, bindparam, insert, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.clock import Clock
from ailb.errors import BadRequest, Conflict, NotFound, Unavailable
from ailb.keys import PREFIX, Key
from ailb.store import keys_rows as rows
from ailb.store.budgets import Budgets
from ailb.store.database import Database
from ailb.store.keys_cache import Cache, Known
from ailb.store.keys_rows import Record
from ailb.store.schema import KEYS

SECRET_LENGTH: Final = len(PREFIX) + 43
SHOWN: Final = len(PREFIX) + 4
"""Characters of a secret that are kept to recognise it by: 24 of its 256 bits."""

POLL_SECONDS: Final = 1.0
USED_MICROS: Final = 60 * rows.SECOND
"""`last_used` is written once a minute for each key, not once a request."""


class KeyStore:
    """Open between `async with` and its end: meanwhile it looks every second whether another process has changed a key.

    `user` in a method is whose key it must be; None: anybody's. Methods raise Unavailable while the database is down, and where it says
    so NotFound for a key that there is not, or not for this user. `terms` are members of a Record that may be set: `name`, `expires_at`,
    the limits, the lists, `metadata`, `quota_nanos`, `quota_tokens`.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._budgets = Budgets(database)
        self._cache = Cache(self._load, self._revision, clock)
        self._used: dict[str, int] = {}
        self._polling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._polling = asyncio.create_task(self._poll())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        await self._cache.close()
        with suppress(Unavailable):
            await self._write_used()

    async def find(self, secret: str) -> Key | None:
        """The active key with this secret; None for one that is unknown, revoked, expired or malformed."""
        if len(secret) != SECRET_LENGTH or not secret.startswith(PREFIX) or not secret.isascii():
            return None
        known = await self._cache.find(sha256(secret.encode()).digest())
        if known is None or (known.key.expires is not None and known.key.expires <= self._clock.unix()):
            return None
        now = self._database.micros()
        if now - known.last_used >= USED_MICROS:
            known.last_used = self._used[known.key.id] = now
        return known.key

    async def create(self, user: str, terms: Mapping[str, Any]) -> tuple[str, Record]:
        """The secret, which nobody will ever see again, and its key. `terms` has at least a `name`. Raises BadRequest for one that
        would have expired already.
        """
        secret, id, now = new_secret(), f"key-{token_hex(16)}", self._database.micros()
        end = terms.get("expires_at")
        if end is not None and end <= now:
            raise BadRequest("expires_at is in the past", param="expires_at")
        row = {"id": id, "user_id": user, "prefix": secret[:SHOWN], "status": "active", "created_at": now, **rows.columns(terms)}

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(KEYS).values(row))
            await rows.put_secret(connection, id, _digest(secret), until=now, now=now)
            if limits := rows.lasting(terms):
                await self._put_quota(connection, id, limits)

        await self._change(work)
        return secret, await self.get(id)

    async def get(self, id: str, user: str | None = None) -> Record:
        """Raises NotFound."""
        now = self._database.micros()
        found = await self._database.read(rows.records(now, *_whose(id, user)))
        if not found:
            raise NotFound("no such key")
        return rows.record(found[0], now)

    async def page(
        self, user: str | None = None, *, status: str | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[list[Record], int]:
        """The newest first, and how many there are in all. `status`: active, revoked or expired; None: any."""
        now = self._database.micros()
        conditions = [] if user is None else [KEYS.c.user_id == user]
        if status is not None:
            conditions.append(rows.in_status(status, now))
        page = rows.records(now, *conditions).order_by(KEYS.c.created_at.desc(), KEYS.c.id).limit(limit).offset(offset)
        found = [rows.record(row, now) for row in await self._database.read(page)]
        (total,) = await self._database.read(rows.count(*conditions))
        return found, total["total"]

    async def update(self, id: str, terms: Mapping[str, Any], user: str | None = None) -> Record:
        """Raises NotFound, and Conflict for a key that is revoked."""
        values = rows.columns(terms) or {"id": id}

        async def work(connection: AsyncConnection) -> None:
            await _set(connection, id, user, values)
            if limits := rows.lasting(terms):
                await self._put_quota(connection, id, limits)

        await self._change(work)
        return await self.get(id)

    async def revoke(self, id: str, user: str | None = None) -> None:
        """Raises NotFound, and Conflict for a key that is revoked already."""

        async def work(connection: AsyncConnection) -> None:
            await _set(connection, id, user, {"status": "revoked"})

        await self._change(work)

    async def rotate(self, id: str, grace_seconds: int = 0, user: str | None = None) -> tuple[str, Record]:
        """A new secret for the key; those before it are good for `grace_seconds` more. Raises NotFound, Conflict."""
        secret, now = new_secret(), self._database.micros()

        async def work(connection: AsyncConnection) -> None:
            await _set(connection, id, user, {"prefix": secret[:SHOWN]})
            await rows.put_secret(connection, id, _digest(secret), until=now + grace_seconds * rows.SECOND, now=now)

        await self._change(work)
        return secret, await self.get(id)

    async def _put_quota(self, connection: AsyncConnection, id: str, limits: Mapping[str, int | None]) -> None:
        """A key's quota is a budget like any other. What is not in `limits` stays as it is."""
        found = (await connection.execute(rows.quota(id))).mappings().first()
        if found is not None or any(limit is not None for limit in limits.values()):
            whole: dict[str, Any] = {**(found or {}), **limits}
            await self._budgets.set_in(connection, "key", id, period="monthly", **whole)

    async def _change(self, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        """Known here when it returns, and elsewhere within two seconds."""

        async def counted(connection: AsyncConnection) -> None:
            await work(connection)
            await rows.changed_now(connection, "keys")

        try:
            await self._database.write(counted)
        finally:
            self._cache.forget()  # also where nobody can say any more whether it was written

    async def _load(self, hashes: Sequence[bytes]) -> Mapping[bytes, Known]:
        found = await self._database.read(rows.by_hash(hashes))
        return {bytes(row["hash"]): Known(rows.key(row), row["last_used"] or 0) for row in found}

    async def _revision(self) -> int:
        return next((int(row["number"]) for row in await self._database.read(rows.revision("keys"))), 0)

    async def _poll(self) -> None:
        while True:
            with suppress(Unavailable):  # while it lasts, `find` raises it
                await self._cache.look()
                await self._write_used()
            await asyncio.sleep(POLL_SECONDS)

    async def _write_used(self) -> None:
        used, self._used = self._used, {}
        if not used:
            return
        at = bindparam("at", type_=BigInteger)
        older = or_(KEYS.c.last_used.is_(None), KEYS.c.last_used < at)
        statement = update(KEYS).where(KEYS.c.id == bindparam("key"), older).values(last_used=at)
        values = [{"key": id, "at": when} for id, when in used.items()]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement, values)

        await self._database.write(work)


def new_secret() -> str:
    return PREFIX + token_urlsafe(32)


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _whose(id: str, user: str | None) -> list[ColumnElement[bool]]:
    return [KEYS.c.id == id] if user is None else [KEYS.c.id == id, KEYS.c.user_id == user]


async def _set(connection: AsyncConnection, id: str, user: str | None, values: Mapping[str, Any]) -> None:
    """Changes an active key. Raises NotFound, Conflict."""
    changed = await connection.execute(update(KEYS).where(*_whose(id, user), KEYS.c.status == "active").values(values))
    if changed.rowcount:
        return
    there = await connection.execute(rows.count(*_whose(id, user)))
    if there.scalar_one():
        raise Conflict("the key is revoked")
    raise NotFound("no such key")
