"""Conversations, as the layers see them: what was said before, and what of it belongs to what is asked now.

A session is its user's: whoever names the same session in another user's name has another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Session:
    """`user` is never empty, and comes from who was authenticated; `id` is the client's name for it (256 characters)."""

    user: str
    id: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What the client said that was new, and the answer: chat messages, whatever the client's dialect. `at` is Unix time.

    `number` counts a session's turns from 1, in the order in which they began. `tokens` is about what the messages take in a prompt.
    `cut`: the client left before the answer's end.
    """

    number: int
    at: float
    messages: Sequence[dict[str, Any]]
    tokens: int = 0
    cut: bool = False

    @property
    def text(self) -> str:
        """What can be searched in it."""
        return "\n".join(text for message in self.messages if (text := words(message)))


@dataclass(frozen=True, slots=True)
class Past:
    """What is remembered of a session: `summary` of all turns up to `summarized`, and the last turns, oldest first."""

    turns: Sequence[Turn] = ()
    summary: str = ""
    summarized: int = 0


class Sessions(Protocol):
    """A service. Everything raises Unavailable when it cannot be read or written down."""

    async def begin(self, session: Session) -> int:
        """The number of a turn that begins now, so that turns keep their order whichever answer comes first."""

    async def past(self, session: Session, tokens: int) -> Past:
        """The last turns that together take at most `tokens`."""

    async def recall(self, session: Session, question: str, before: int, most: int) -> list[Turn]:
        """At most `most` turns with numbers below `before` that belong to the question, best first."""

    async def remember(self, session: Session, turn: Turn) -> None:
        """Once for each number. The oldest turns go when a session grows past its limits."""

    async def summarize(self, session: Session, summary: str, upto: int) -> None:
        """In the place of the summary before."""


def words(message: dict[str, Any]) -> str:
    """The text of a chat message; empty where there is none."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
