"""Turns for the tests of sessions."""

from typing import Any

from ailb.sessions import Limits, Session, Turn
from ailb.store.sessions import StoredSessions

ANN, BOB = Session("ann", "s"), Session("bob", "s")
DAY = 86_400.0
LIMITS = Limits(30 * DAY, 1000, 1_000_000, 100)


def turn(number: int, at: float, user: str, assistant: str = "I see.", **more: Any) -> Turn:
    messages = [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
    return Turn(number, at, messages, more.pop("tokens", 10), **more)


async def say(
    sessions: StoredSessions, user: str, assistant: str = "I see.", session: Session = ANN, limits: Limits = LIMITS, **more: Any
) -> Turn:
    """A turn from its beginning to its end."""
    begun = await sessions.begin(session, limits)
    made = turn(begun.number, begun.at, user, assistant, **more)
    assert await sessions.remember(session, made, limits)
    return made


async def numbers(sessions: StoredSessions, session: Session = ANN, tokens: int = 10_000) -> list[int]:
    return [turn.number for turn in (await sessions.past(session, tokens)).turns]
