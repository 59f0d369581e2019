"""Conversations, as the layers see them: what was said before, and what of it belongs to what is asked now.

A session is its user's: whoever names the same session in another user's name has another one.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ailb.embedding import Vector


@dataclass(frozen=True, slots=True)
class Session:
    """`user` is never empty, and comes from who was authenticated; `id` is the client's name for it (256 characters)."""

    user: str
    id: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept: turns for `seconds`, at most so many `turns` and `bytes` of a session, so many `sessions` of a user."""

    seconds: float
    turns: int
    bytes: int
    sessions: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A turn that began: its `number` counts a session's turns from 1, in the order in which they began; `at` is Unix time."""

    number: int
    at: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What the client said that was new, and the answer: chat messages, whatever the client's dialect.

    `number` and `at` are those of its `Begun`. `tokens` is about what the messages take in a prompt.
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


@dataclass(frozen=True, slots=True)
class Near:
    """A question's `vector`, made by the embedder of that name."""

    embedder: str
    vector: Vector


class Sessions(Protocol):
    """A service. Everything raises Unavailable when it cannot be read or written down."""

    def begin(self, session: Session, limits: Limits) -> Awaitable[Begun]:
        """A turn begins now, so that turns keep their order whichever answer comes first. Nobody needs to wait for its number before the
        turn is over. Of too many sessions the ones that were not used for longest are forgotten.
        """

    async def abandon(self, session: Session, begun: Begun) -> None:
        """A turn came to nothing: nobody needs to wait for it, and its number may be the next one's."""

    async def past(self, session: Session, tokens: int) -> Past:
        """The last turns that together take at most `tokens`, and the very last one in any case."""

    async def recall(self, session: Session, question: str, before: int, most: int, near: Near | None = None) -> list[Turn]:
        """At most `most` turns with numbers below `before` that belong to the question, best first."""

    async def remember(self, session: Session, turn: Turn, limits: Limits) -> bool:
        """Once for each number; false where it is not: it was before, or the session was forgotten since the turn began. The oldest
        turns go when a session grows past its limits.
        """

    async def between(self, session: Session, after: int, before: int, most: int) -> list[Turn]:
        """The first `most` turns with numbers above `after` and below `before`, oldest first."""

    async def summarize(self, session: Session, summary: str, upto: Turn) -> None:
        """In the place of the summary before, if that is of fewer turns."""

    async def embed(self, session: Session, number: int, near: Near) -> None:
        """Keeps a turn's vector, from then on to be recalled by it as well. An empty one: there is nothing in it to be embedded."""

    async def unembedded(self, session: Session, embedder: str, most: int) -> list[Turn]:
        """The last `most` turns that this embedder has not seen."""

    async def prune(self, seconds: float) -> int:
        """Forgets the turns that are older, a bounded number at a time; returns how many sessions lost some."""


def words(message: dict[str, Any]) -> str:
    """The text of a chat message; empty where there is none."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
