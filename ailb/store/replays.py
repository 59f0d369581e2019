"""Answers by `Idempotency-Key` in the database, so that they outlive the process and are known to all of them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, delete, insert, not_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import Conflict
from ailb.replays import Claim, Stored
from ailb.store.database import Database
from ailb.store.schema import PROCESSES, REPLAYS

SECOND: Final = 1_000_000
POLL_SECONDS: Final = 0.1
"""How often it is looked whether another process has finished."""

PRUNE_SECONDS: Final = 600.0
"""Rows that are too old are deleted when one comes along, no more often than this."""


@dataclass(slots=True)
class _Open:
    """A claim that this process is at. `fingerprint` is None until the database has agreed."""

    fingerprint: bytes | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


class StoredReplays:
    """`process_id` is this process's in the table `processes`.

    What this process is at is known here too: its own requests wait for each other without asking the database, and a row of its own
    that nobody here is at any more, because it could not be written to, may be taken over.
    """

    def __init__(self, database: Database, process_id: str) -> None:
        self._database = database
        self._process_id = process_id
        self._open: dict[tuple[str, str], _Open] = {}
        self._pruned = 0

    async def begin(self, claim: Claim, keep_seconds: float) -> Stored | None:
        key = (claim.owner, claim.name)
        if (other := self._open.get(key)) is not None:
            if other.fingerprint is not None:
                _check(claim, other.fingerprint)
            return Stored(done=False)
        opened = self._open[key] = _Open()
        mine = False
        try:
            stored = await self._claim(claim, keep_seconds)
            mine = stored is None
        finally:
            if not mine:
                self._close(claim)
        opened.fingerprint = claim.fingerprint
        return stored

    async def finish(self, claim: Claim, reply: bytes | None) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(update(REPLAYS).where(self._mine(claim)).values(done=True, reply=reply))

        try:
            await self._database.write(work)
        finally:
            self._close(claim)

    async def forget(self, claim: Claim) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(REPLAYS).where(self._mine(claim)))

        try:
            await self._database.write(work)
        finally:
            self._close(claim)

    async def wait(self, claim: Claim, seconds: float) -> None:
        other = self._open.get((claim.owner, claim.name))
        if other is None:
            await asyncio.sleep(min(seconds, POLL_SECONDS))
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(other.over.wait(), seconds)

    async def _claim(self, claim: Claim, keep_seconds: float) -> Stored | None:
        now = self._database.micros()
        old = REPLAYS.c.created_at <= now - int(keep_seconds * SECOND)
        row = {"owner": claim.owner, "name": claim.name, "fingerprint": claim.fingerprint, "process_id": self._process_id}
        prune = now - self._pruned >= PRUNE_SECONDS * SECOND
        if prune:
            self._pruned = now

        async def work(connection: AsyncConnection) -> Any:
            if prune:
                await connection.execute(delete(REPLAYS).where(old))
            await connection.execute(delete(REPLAYS).where(_named(claim), or_(old, self._abandoned())))
            there = (await connection.execute(_row(claim))).mappings().first()
            if there is not None:
                return there
            try:
                async with connection.begin_nested():
                    await connection.execute(insert(REPLAYS).values({**row, "created_at": now, "done": False}))
            except IntegrityError:  # another process was faster by a moment, and is at it
                return {"fingerprint": None, "done": False, "reply": None}
            return None

        found = await self._database.write(work)
        if found is None:
            return None
        if found["fingerprint"] is not None:
            _check(claim, bytes(found["fingerprint"]))
        return Stored(bool(found["done"]), None if found["reply"] is None else bytes(found["reply"]))

    def _mine(self, claim: Claim) -> ColumnElement[bool]:
        """Not the row of one who took over from us."""
        return and_(_named(claim), REPLAYS.c.process_id == self._process_id, not_(REPLAYS.c.done))

    def _abandoned(self) -> ColumnElement[bool]:
        """Whether nobody is at it: its process has died, or it is this one, whose claims that are under way do not get here."""
        alive = select(PROCESSES.c.id)
        return and_(not_(REPLAYS.c.done), or_(REPLAYS.c.process_id == self._process_id, REPLAYS.c.process_id.not_in(alive)))

    def _close(self, claim: Claim) -> None:
        closed = self._open.pop((claim.owner, claim.name), None)
        if closed is not None:
            closed.over.set()


def _check(claim: Claim, fingerprint: bytes) -> None:
    if claim.fingerprint != fingerprint:
        raise Conflict("this Idempotency-Key was used for another request", headers={"x-should-retry": "false"})


def _named(claim: Claim) -> ColumnElement[bool]:
    return and_(REPLAYS.c.owner == claim.owner, REPLAYS.c.name == claim.name)


def _row(claim: Claim) -> Select[Any]:
    return select(REPLAYS.c.fingerprint, REPLAYS.c.done, REPLAYS.c.reply).where(_named(claim))
