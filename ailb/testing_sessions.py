"""Sessions in memory, for a layer's test."""

from collections.abc import Generator

from ailb.errors import Unavailable
from ailb.sessions import Begun, Limits, Near, Past, Session, Turn

START = 1_700_000_000.0


class MemorySessions:
    """`turns` by session, in the order in which they were remembered. A turn is recalled that has a word of the question in it. While
    `down`, everything raises Unavailable. Of the limits only that of turns counts. `near`: the vectors that were asked with.
    """

    def __init__(self) -> None:
        self.turns: dict[Session, list[Turn]] = {}
        self.begun: dict[Session, int] = {}
        self.summaries: dict[Session, tuple[str, int]] = {}
        self.vectors: dict[tuple[Session, int], Near] = {}
        self.near: list[Near | None] = []
        self.pruned = 0
        self.down = False

    def begin(self, session: Session, limits: Limits) -> "_Ready":
        self._check()
        number = self.begun[session] = self.begun.get(session, 0) + 1
        return _Ready(Begun(number, START + number))

    async def abandon(self, session: Session, begun: Begun) -> None:
        self._check()
        if self.begun.get(session) == begun.number:
            self.begun[session] -= 1

    async def past(self, session: Session, tokens: int) -> Past:
        self._check()
        made: list[Turn] = []
        for turn in sorted(self.turns.get(session, ()), key=lambda turn: turn.number, reverse=True):
            tokens -= turn.tokens
            if made and tokens < 0:
                break
            made.insert(0, turn)
        return Past(made, *self.summaries.get(session, ("", 0))) if made else Past()

    async def recall(self, session: Session, question: str, before: int, most: int, near: Near | None = None) -> list[Turn]:
        self._check()
        self.near.append(near)
        asked = question.lower().split()
        found = [turn for turn in self.turns.get(session, ()) if turn.number < before and any(word in turn.text.lower() for word in asked)]
        return found[:most]

    async def remember(self, session: Session, turn: Turn, limits: Limits) -> bool:
        self._check()
        kept = self.turns.setdefault(session, [])
        if any(other.number == turn.number for other in kept):
            return False
        self.turns[session] = [*kept, turn][-limits.turns :]
        return True

    async def between(self, session: Session, after: int, before: int, most: int) -> list[Turn]:
        self._check()
        return [turn for turn in self.turns.get(session, ()) if after < turn.number < before][:most]

    async def summarize(self, session: Session, summary: str, upto: Turn) -> None:
        self._check()
        self.summaries[session] = (summary, upto.number)

    async def embed(self, session: Session, number: int, near: Near) -> None:
        self._check()
        self.vectors[session, number] = near

    async def unembedded(self, session: Session, embedder: str, most: int) -> list[Turn]:
        self._check()
        seen = {number for (whose, number), near in self.vectors.items() if (whose, near.embedder) == (session, embedder)}
        return [turn for turn in reversed(self.turns.get(session, ())) if turn.number not in seen][:most]

    async def prune(self, seconds: float) -> int:
        self._check()
        self.pruned += 1
        return 0

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the store is down")


class _Ready:
    """To be awaited, or not."""

    def __init__(self, begun: Begun) -> None:
        self._begun = begun

    def __await__(self) -> Generator[None, None, Begun]:
        yield from ()
        return self._begun
