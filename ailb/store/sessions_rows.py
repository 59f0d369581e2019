"""Turns and sessions as rows: the statements that read them, and what a row is to the layers and to `/api`."""

from typing import Final

import orjson
from sqlalchemy import ColumnElement, and_, text
from sqlalchemy.engine import RowMapping

from ailb import strict
from ailb.sessions import Session, Turn
from ailb.sessions import words as said
from ailb.store.schema_sessions import SESSIONS, TURNS

SECOND: Final = 1_000_000

MOST_RECENT: Final = 100
"""Turns that are looked at for the last ones; their tokens decide how many of them are read."""

MOST_INDEXED: Final = 16_000
"""Characters of a turn that can be searched for."""

MOST_NEIGHBOUR: Final = 4_000
"""Characters of the turn before that are indexed with it: `Tell me more` is about something that was said there. Evidence among the first
ten was found for 70 of 80 questions with it, for 63 without.
"""

PAST: Final = f"""
    SELECT s.begun, s.summary, s.summarized, t.number, t.at, t.messages, t.tokens, t.cut, (
        SELECT max(number) FROM turns WHERE user_id = :user AND session_id = :session
    ) AS newest
    FROM sessions s LEFT JOIN (
        SELECT id, tokens, sum(tokens) OVER (ORDER BY number DESC) AS running FROM (
            SELECT id, number, tokens FROM turns WHERE user_id = :user AND session_id = :session
            ORDER BY number DESC LIMIT {MOST_RECENT}
        ) AS newest
    ) AS fitting ON fitting.running <= :tokens OR fitting.running = fitting.tokens LEFT JOIN turns t ON t.id = fitting.id
    WHERE s.user_id = :user AND s.session_id = :session ORDER BY t.number
"""  # noqa: S608 - a number of our own

STANDING: Final = text("""
    SELECT created_at, begun, bytes, (
        SELECT messages FROM turns WHERE user_id = :user AND session_id = :session AND number < :number ORDER BY number DESC LIMIT 1
    ) AS neighbour
    FROM sessions WHERE user_id = :user AND session_id = :session
""")


def whose(session: Session) -> ColumnElement[bool]:
    return and_(TURNS.c.user_id == session.user, TURNS.c.session_id == session.id)


def which(session: Session) -> ColumnElement[bool]:
    return and_(SESSIONS.c.user_id == session.user, SESSIONS.c.session_id == session.id)


def dumped(turn: Turn) -> bytes:
    """Its messages as JSON."""
    return strict.dumps(list(turn.messages))


def turn_of(row: RowMapping) -> Turn:
    return Turn(int(row["number"]), row["at"] / SECOND, orjson.loads(row["messages"]), int(row["tokens"]), bool(row["cut"]))


def searchable(messages: str, neighbour: str | None) -> str:
    """What is indexed of a turn: its own words, and those of the turn before. Both as JSON."""
    own = _text(messages)[:MOST_INDEXED]
    return own if neighbour is None else f"{own}\n{_text(neighbour)[:MOST_NEIGHBOUR]}"


def _text(messages: str) -> str:
    return "\n".join(filter(None, map(said, orjson.loads(messages))))
