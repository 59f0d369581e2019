"""Conversations in the database, so that they outlive the process and are known to all gateways."""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from heapq import nlargest
from operator import itemgetter
from typing import Any, Final

import structlog
from sqlalchemy import bindparam, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import NotFound
from ailb.fusion import fused
from ailb.sessions import Begun, Limits, Near, Past, Session, Turn
from ailb.store import sessions_kept as kept
from ailb.store.database import Database
from ailb.store.given import given
from ailb.store.schema_sessions import SESSIONS, TURNS
from ailb.store.sessions_rows import PAST, SECOND, STANDING, dumped, searchable, turn_of, which, whose
from ailb.store.sessions_vectors import cosines, packed
from ailb.store.words import Words, space
from ailb.store.writer import one_by_one

LOG = structlog.get_logger("ailb.sessions")

MOST_FOUND: Final = 200
MOST_VECTORS: Final = 1000
MOST_NEAR: Final = 50

WAITS: Final = (0.005, 0.01, 0.02)
"""Seconds between looks for a turn that another process is about to write down: who has its answer's end may ask on at once, and elsewhere.
A turn that goes on there, or came to nothing, costs the next one these waits."""

MOST_KNOWN: Final = 10_000
"""Sessions of which it is known that this process began their last turn."""


class StoredSessions:
    """The `Sessions` service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._words = Words(database, "turns_words")
        self._past = text(PAST)
        self._begun: dict[Session, int] = {}

    def begin(self, session: Session, limits: Limits) -> Awaitable[Begun]:
        self._database.check()
        begun = self._database.writer.put(one_by_one, partial(self._begin, session, limits, self._database.micros()), keep=True)
        begun.add_done_callback(partial(self._began, session))
        return asyncio.shield(begun)

    async def abandon(self, session: Session, begun: Begun) -> None:
        last = (SESSIONS.c.begun == begun.number, SESSIONS.c.created_at <= _micros(begun.at))
        statement = update(SESSIONS).where(which(session), *last).values(begun=SESSIONS.c.begun - 1)
        await self._database.write(lambda connection: connection.execute(statement))

    async def past(self, session: Session, tokens: int) -> Past:
        rows = await self._last(session, tokens)
        for seconds in WAITS:
            if not rows or not self._is_elsewhere(session, rows[0]):
                break
            await asyncio.sleep(seconds)
            rows = await self._last(session, tokens)
        if not rows:
            return Past()
        turns = [turn_of(row) for row in rows if row["number"] is not None]
        return Past(turns, rows[0]["summary"], int(rows[0]["summarized"]))

    async def recall(self, session: Session, question: str, before: int, most: int, near: Near | None = None) -> list[Turn]:
        where = space(session.user, session.id)
        found, vectors = await asyncio.gather(self._words.find(where, question, MOST_FOUND), self._vectors(session, before, near))
        close = cosines(vectors, near.vector).items() if near is not None else ()
        scores = dict(fused(found, nlargest(MOST_NEAR, close, key=itemgetter(1))))
        return await self._turns(session, scores, before, most) if scores else []

    async def remember(self, session: Session, turn: Turn, limits: Limits) -> bool:
        messages = dumped(turn)
        if len(messages) > limits.bytes:
            LOG.warning("turn too large to be remembered", bytes=len(messages))
            return False
        work = partial(self._remember, session, turn, limits, messages)
        written: bool = await asyncio.shield(self._database.writer.put(one_by_one, work, keep=True))
        return written

    async def between(self, session: Session, after: int, before: int, most: int) -> list[Turn]:
        wanted = select(TURNS).where(whose(session), TURNS.c.number > after, TURNS.c.number < before).order_by(TURNS.c.number).limit(most)
        return [turn_of(row) for row in await self._database.read(wanted)]

    async def summarize(self, session: Session, summary: str, upto: Turn) -> None:
        """Not where the session was forgotten since, and there is another one."""
        older = (SESSIONS.c.summarized < upto.number, SESSIONS.c.begun >= upto.number, SESSIONS.c.created_at <= _micros(upto.at))
        statement = update(SESSIONS).where(which(session), *older).values(summary=summary.replace("\0", ""), summarized=upto.number)
        await self._database.write(lambda connection: connection.execute(statement))

    async def embed(self, session: Session, number: int, near: Near) -> None:
        values = {"embedder": near.embedder, "vector": packed(near.vector) if len(near.vector) else None}
        statement = update(TURNS).where(whose(session), TURNS.c.number == number).values(values)
        await self._database.write(lambda connection: connection.execute(statement))

    async def unembedded(self, session: Session, embedder: str, most: int) -> list[Turn]:
        unseen = or_(TURNS.c.embedder.is_(None), TURNS.c.embedder != embedder)
        wanted = select(TURNS).where(whose(session), unseen).order_by(TURNS.c.number.desc()).limit(most)
        return [turn_of(row) for row in await self._database.read(wanted)]

    async def prune(self, seconds: float) -> int:
        return await kept.prune(self._database, self._words, seconds)

    async def page(self, user: str | None, *, limit: int, offset: int) -> tuple[list[RowMapping], int]:
        """Rows of sessions, the one used last first, and how many there are. None: everybody's."""
        return await kept.page(self._database, user, limit=limit, offset=offset)

    async def users(self, id: str) -> list[str]:
        """Who has a session of that name; two of them, if there are more."""
        rows = await self._database.read(select(SESSIONS.c.user_id).where(SESSIONS.c.session_id == id, SESSIONS.c.bytes > 0).limit(2))
        return [row["user_id"] for row in rows]

    async def export(self, session: Session) -> tuple[RowMapping, Sequence[RowMapping]]:
        """Its row, and those of its turns. Raises NotFound."""
        return await kept.export(self._database, session)

    async def forget(self, session: Session) -> None:
        """Turns, words, vectors and summary at once, and what is under way will not be remembered. Raises NotFound."""
        if not await self._database.write(lambda connection: kept.forget(connection, self._words, session)):
            raise NotFound("no such session")

    async def active(self, seconds: float) -> int:
        """Sessions that were used in the last so many seconds."""
        return await kept.active(self._database, seconds)

    async def _begin(self, session: Session, limits: Limits, now: int, connection: AsyncConnection) -> Begun:
        new = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        row = {"user_id": session.user, "session_id": session.id, "created_at": now, "updated_at": now, "begun": 1, "summary": ""}
        again = {"begun": SESSIONS.c.begun + 1, "updated_at": now}
        counted = new(SESSIONS).values(row).on_conflict_do_update(index_elements=["user_id", "session_id"], set_=again)
        number, created = (await connection.execute(counted.returning(SESSIONS.c.begun, SESSIONS.c.created_at))).one()
        if number == 1:
            await kept.make_room(connection, self._words, session.user, limits)
        return Begun(number, max(now, created) / SECOND)

    def _began(self, session: Session, begun: "asyncio.Future[Begun]") -> None:
        if begun.cancelled() or begun.exception() is not None:
            return
        self._begun.pop(session, None)
        self._begun[session] = begun.result().number
        if len(self._begun) > MOST_KNOWN:
            del self._begun[next(iter(self._begun))]

    def _is_elsewhere(self, session: Session, row: RowMapping) -> bool:
        """Whether another process began the last turn, and it is not there yet. SQLite has one process, and that knows better."""
        return not self._database.is_sqlite and row["begun"] > (row["newest"] or 0) and self._begun.get(session) != row["begun"]

    async def _last(self, session: Session, tokens: int) -> list[RowMapping]:
        return await self._database.read(given(self._past, user=session.user, session=session.id, tokens=tokens))

    async def _vectors(self, session: Session, before: int, near: Near | None) -> dict[int, bytes]:
        if near is None:
            return {}
        made = (TURNS.c.embedder == near.embedder, TURNS.c.vector.is_not(None), TURNS.c.number < before)
        newest = select(TURNS.c.id, TURNS.c.vector).where(whose(session), *made).order_by(TURNS.c.number.desc()).limit(MOST_VECTORS)
        return {row["id"]: bytes(row["vector"]) for row in await self._database.read(newest)}

    async def _turns(self, session: Session, scores: dict[int, float], before: int, most: int) -> list[Turn]:
        """The best of those before. Which are before is asked first: the messages of all that were found are many bytes."""
        ids: Any = TURNS.c.id.in_(bindparam("ids", list(scores), expanding=True))

        async def look(connection: AsyncConnection) -> list[Turn]:
            there = await connection.scalars(select(TURNS.c.id).where(whose(session), TURNS.c.number < before, ids))
            best = sorted(there, key=lambda id: scores[id], reverse=True)[:most]
            rows = (await connection.execute(select(TURNS).where(whose(session), TURNS.c.id.in_(best)))).mappings()
            return [turn_of(row) for row in sorted(rows, key=lambda row: best.index(row["id"]))]

        return await self._database.look(look)

    async def _remember(self, session: Session, turn: Turn, limits: Limits, messages: bytes, connection: AsyncConnection) -> bool:
        names = {"user": session.user, "session": session.id}
        standing = (await connection.execute(STANDING, {**names, "number": turn.number})).first()
        at = _micros(turn.at)
        if standing is None or standing.created_at > at or standing.begun < turn.number:
            return False  # the session was forgotten since
        new = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        size, said = len(messages), messages.decode()
        row = {"user_id": session.user, "session_id": session.id, "number": turn.number, "at": at, "messages": said}
        once = new(TURNS).values({**row, "tokens": turn.tokens, "bytes": size, "cut": turn.cut}).on_conflict_do_nothing()
        id = (await connection.execute(once.returning(TURNS.c.id))).scalar()
        if id is None:
            return False
        where = space(session.user, session.id)
        await self._words.add(connection, where, [(id, searchable(said, standing.neighbour))])
        used = {"bytes": SESSIONS.c.bytes + size, "updated_at": max(at, self._database.micros())}
        await connection.execute(update(SESSIONS).where(which(session)).values(used))
        if standing.bytes + size > limits.bytes or standing.begun > limits.turns:
            await kept.trim(connection, self._words, session, limits)
        return True


def _micros(at: float) -> int:
    return round(at * SECOND)
