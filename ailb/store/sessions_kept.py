"""What is kept of sessions, and how it goes: a turn goes with its words and its vector, in one transaction, or not at all."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import and_, delete, func, select, text, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import NotFound
from ailb.sessions import Limits, Session
from ailb.store.database import Database
from ailb.store.given import given
from ailb.store.schema_sessions import SESSIONS, TURNS
from ailb.store.sessions_rows import SECOND, searchable, which, whose
from ailb.store.words import Words, space

CHUNK: Final = 500
"""Sessions that are looked at in one statement."""

MOST_AT_ONCE: Final = 10
"""Sessions that are forgotten for one new one; more only ever are too many where the limit was lowered."""

_WALK: Final = text(f"""
    SELECT user_id, session_id, updated_at, (
        SELECT at FROM turns WHERE turns.user_id = sessions.user_id AND turns.session_id = sessions.session_id ORDER BY number LIMIT 1
    ) AS first
    FROM sessions WHERE created_at < :cutoff AND (user_id > :user OR (user_id = :user AND session_id > :session))
    ORDER BY user_id, session_id LIMIT {CHUNK}
""")  # noqa: S608 - a number of our own


async def forget(connection: AsyncConnection, words: Words, session: Session) -> int:
    """All of a session. Returns how many turns it had."""
    ids = (await connection.execute(select(TURNS.c.id).where(whose(session)))).scalars().all()
    await words.remove(connection, ids)
    await connection.execute(delete(TURNS).where(whose(session)))
    await connection.execute(delete(SESSIONS).where(which(session)))
    return len(ids)


async def drop(connection: AsyncConnection, words: Words, session: Session, upto: int) -> None:
    """The turns with numbers up to that one."""
    old = and_(whose(session), TURNS.c.number <= upto)
    gone = (await connection.execute(select(TURNS.c.id, TURNS.c.bytes).where(old))).all()
    if not gone:
        return
    await words.remove(connection, [row.id for row in gone])
    await connection.execute(delete(TURNS).where(old))
    freed = sum(row.bytes for row in gone)
    await connection.execute(update(SESSIONS).where(which(session)).values(bytes=SESSIONS.c.bytes - freed))
    first = select(TURNS.c.id, TURNS.c.messages).where(whose(session)).order_by(TURNS.c.number).limit(1)
    left = (await connection.execute(first)).first()
    if left is not None:  # it was indexed with words of the one before it, which are to be gone too
        await words.remove(connection, [left.id])
        await words.add(connection, space(session.user, session.id), [(left.id, searchable(left.messages, None))])


async def trim(connection: AsyncConnection, words: Words, session: Session, limits: Limits) -> None:
    """The oldest turns go until the rest keeps to the limits."""
    standing = select(SESSIONS.c.begun, SESSIONS.c.bytes).where(which(session))
    begun, size = (await connection.execute(standing)).one()
    upto = begun - limits.turns
    oldest = select(TURNS.c.number, TURNS.c.bytes).where(whose(session)).order_by(TURNS.c.number).limit(limits.turns + 1)
    if size > limits.bytes:
        for number, bytes in (await connection.execute(oldest)).all():
            if size <= limits.bytes:
                break
            size -= bytes
            upto = max(upto, number)
    if upto > 0:
        await drop(connection, words, session, upto)


async def make_room(connection: AsyncConnection, words: Words, user: str, limits: Limits) -> None:
    """Forgets the sessions of a user that were not used for longest, if there are too many."""
    many = await connection.scalar(select(func.count()).select_from(SESSIONS).where(SESSIONS.c.user_id == user))
    over = min((many or 0) - limits.sessions, MOST_AT_ONCE)
    if over > 0:
        oldest = select(SESSIONS.c.session_id).where(SESSIONS.c.user_id == user).order_by(SESSIONS.c.updated_at).limit(over)
        for id in (await connection.execute(oldest)).scalars().all():
            await forget(connection, words, Session(user, id))


async def prune(database: Database, words: Words, seconds: float) -> int:
    """Forgets what is older. A transaction for each session, so that nobody waits long. Returns how many sessions lost something."""
    cutoff = database.micros() - int(seconds * SECOND)
    pruned, user, session = 0, "", ""
    while True:
        rows = await database.read(given(_WALK, cutoff=cutoff, user=user, session=session))
        for row in rows:
            user, session = row["user_id"], row["session_id"]
            if row["updated_at"] < cutoff or (row["first"] is not None and row["first"] < cutoff):
                await _prune(database, words, Session(user, session), cutoff)
                pruned += 1
        if len(rows) < CHUNK:
            return pruned


async def _prune(database: Database, words: Words, session: Session, cutoff: int) -> None:
    async def work(connection: AsyncConnection) -> None:
        used = await connection.scalar(select(SESSIONS.c.updated_at).where(which(session)))
        if used is not None and used < cutoff:
            await forget(connection, words, session)
            return
        upto = await connection.scalar(select(func.max(TURNS.c.number)).where(whose(session), TURNS.c.at < cutoff))
        if upto is not None:
            await drop(connection, words, session, upto)

    await database.write(work)


async def page(database: Database, user: str | None, *, limit: int, offset: int) -> tuple[list[RowMapping], int]:
    """Sessions that have turns, the one used last first, of a user or of all; and how many there are."""
    mine = SESSIONS.c.bytes > 0 if user is None else and_(SESSIONS.c.bytes > 0, SESSIONS.c.user_id == user)
    turns = select(func.count()).where(TURNS.c.user_id == SESSIONS.c.user_id, TURNS.c.session_id == SESSIONS.c.session_id)
    order = (SESSIONS.c.updated_at.desc(), SESSIONS.c.user_id, SESSIONS.c.session_id)
    listed = select(SESSIONS, turns.scalar_subquery().label("turns")).where(mine).order_by(*order).limit(limit).offset(offset)
    (total,) = await database.read(select(func.count().label("n")).select_from(SESSIONS).where(mine))
    return await database.read(listed), int(total["n"])


async def export(database: Database, session: Session) -> tuple[RowMapping, Sequence[RowMapping]]:
    """A session and its turns, oldest first. Raises NotFound for one that has none."""
    rows = await database.read(select(SESSIONS).where(which(session)))
    wanted: list[Any] = [TURNS.c.number, TURNS.c.at, TURNS.c.messages, TURNS.c.tokens, TURNS.c.cut]
    turns = await database.read(select(*wanted).where(whose(session)).order_by(TURNS.c.number)) if rows else []
    if not turns:
        raise NotFound("no such session")
    return rows[0], turns


async def active(database: Database, seconds: float) -> int:
    """Sessions that were used in the last so many seconds, by any gateway with this store."""
    since = database.micros() - int(seconds * SECOND)
    (row,) = await database.read(select(func.count().label("n")).select_from(SESSIONS).where(SESSIONS.c.updated_at >= since))
    return int(row["n"])
