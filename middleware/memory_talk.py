"""One request of a conversation: what is put in front of it, and what is remembered of it."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from ailb.embed_question import Questions
from ailb.embedding import Embedder, Vector
from ailb.errors import BadRequest, Refusal
from ailb.exchange import Exchange, Outcome
from ailb.sessions import Begun, Limits, Near, Past, Session, Sessions, Turn, words
from middleware.memory_block import Told, told
from middleware.memory_counts import about
from middleware.memory_desk import Desk
from middleware.memory_heard import Heard
from middleware.memory_messages import AROUND, Message, countable
from middleware.memory_room import Room
from middleware.memory_said import Said, new, said, unknown, unsent
from middleware.memory_summary import Summaries
from middleware.memory_window import fitting, messages_of

MOST_RECALLED: Final = 12
MOST_EMBEDDED: Final = 8000
"""Characters of a turn, or a question, of which a vector is made."""

MOST_UNSEEN: Final = 4
"""Turns without a vector that get one behind each answer."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all requests have in common. `recent` and `recalled` are tokens."""

    sessions: Sessions
    room: Room
    desk: Desk
    limits: Limits
    recent: int
    recalled: int
    embedder: Embedder
    questions: Questions
    summaries: Summaries | None = None


class Talk:
    def __init__(self, means: Means, exchange: Exchange, session: Session) -> None:
        self.heard = Heard(lambda: means.desk.ending(session))
        self._means = means
        self._exchange = exchange
        self._session = session
        self._past = Past()
        self._new: list[Message] = []
        self._begun: Awaitable[Begun] | None = None

    async def put_in(self) -> None:
        """What was said before goes into the prompt. Raises Unavailable, and has changed nothing then."""
        means, prompt = self._means, self._exchange.prompt
        now, clear = self._said()
        past = self._past = await means.sessions.past(self._session, means.recent)
        self._new = new(now, past.turns)
        if not past.turns or not clear:
            self._tell([], Told(), summary=False)
            return
        room = await means.room.beside(prompt, means.recent + means.recalled)
        recalled = min(means.recalled, max(room - means.recent, room // 4))
        turns = fitting(unsent(past.turns, now), min(means.recent, room - recalled))
        block = await self._longer_ago(turns, now, recalled)
        if ahead := messages_of(turns, now.messages):
            prompt.inject(ahead)
        if block.text:  # behind the turns, which are the same in the next request: providers keep what a prompt begins with
            prompt.tell(block.text)
        self._tell(turns, block, summary=bool(past.summary and block.text))

    def begin(self) -> None:
        """Raises Unavailable."""
        self._begun = self._means.sessions.begin(self._session, self._means.limits)

    def settle(self, outcome: Outcome) -> None:
        """Remembers an answer that the client got, or the part of it that it stayed for."""
        desk, begun = self._means.desk, self._begun
        if begun is None:
            return
        cut = outcome.status == "disconnected"
        answer = self.heard.message(cut_off=cut) if cut or outcome.status == "complete" else None
        if not self.heard.ended:
            desk.ending(self._session)
        if answer is None:
            desk.write(self._session, partial(self._abandon, begun))
        else:
            desk.write(self._session, partial(self._remember, begun, [*self._new, answer], cut))

    def _said(self) -> tuple[Said, bool]:
        """What the client said, and whether it is clear what of it was said before. What only Anthropic has words for is remembered as
        the question's text, and nothing is put in front of what may repeat it.
        """
        prompt = self._exchange.prompt.bare()
        try:
            return said(prompt.chat()["messages"]), True
        except BadRequest:
            alone = all(message.get("role") != "assistant" for message in prompt.body["messages"])
            return said([{"role": "user", "content": prompt.question}]), alone

    async def _longer_ago(self, turns: Sequence[Turn], now: Said, tokens: int) -> Told:
        past, question = self._past, self._exchange.prompt.question or _asked(turns)
        before = turns[0].number if turns else past.turns[-1].number + 1
        if before <= 1 or not tokens:
            return Told()
        near = None if self._exchange.dry else await self._near(question)
        found = await self._means.sessions.recall(self._session, question, before, MOST_RECALLED, near)
        summary = past.summary if turns or not now.history else ""
        return told(unknown(found, now), question, tokens, summary, about(summary))

    async def _near(self, question: str) -> Near | None:
        questions = self._means.questions
        if not questions.name or not question.strip():
            return None
        try:
            vector = await questions.vector(question[:MOST_EMBEDDED], user=self._session.user)
        except (Refusal, TimeoutError):  # a provider that is gone, or that the user cannot pay
            return None
        return Near(questions.name, vector)

    def _tell(self, turns: Sequence[Turn], block: Told, *, summary: bool) -> None:
        self._exchange.record["memory"] = {
            "session": self._session.id,
            "recent": len(turns),
            "recent_tokens": sum(turn.tokens for turn in turns),
            "recalled": block.turns,
            "recalled_tokens": block.tokens,
            "summary": summary,
        }

    async def _remember(self, begun: Awaitable[Begun], messages: list[Message], cut: bool) -> None:
        """Raises Unavailable."""
        means = self._means
        turn = await begun
        tokens = about(countable(messages)) + AROUND * len(messages)
        made = Turn(turn.number, turn.at, messages, tokens, cut)
        if not await means.sessions.remember(self._session, made, means.limits):
            return
        if means.embedder.name:
            means.desk.spare(partial(self._embed, means.embedder, made))
        if means.summaries is not None and means.summaries.is_due(self._past):
            make, id = means.summaries.make, f"{self._exchange.id}-summary"
            means.desk.start(partial(make, self._session, self._past, self._exchange.caller, id))

    async def _abandon(self, begun: Awaitable[Begun]) -> None:
        await self._means.sessions.abandon(self._session, await begun)

    async def _embed(self, embedder: Embedder, turn: Turn) -> None:
        """And a few of those before that it has not seen: it was down, or it is another one than then."""
        await self._embed_one(embedder, turn)
        for unseen in await self._means.sessions.unembedded(self._session, embedder.name, MOST_UNSEEN):
            await self._embed_one(embedder, unseen)

    async def _embed_one(self, embedder: Embedder, turn: Turn) -> None:
        text = turn.text[:MOST_EMBEDDED]
        vector: Vector = ()
        if text.strip():
            (vector,) = await embedder.embed([text], user=self._session.user)
        await self._means.sessions.embed(self._session, turn.number, Near(embedder.name, vector))


def _asked(turns: Sequence[Turn]) -> str:
    """What the user said last in them: who sends the results of tools only still wants to know that."""
    said = (message for turn in reversed(turns) for message in reversed(turn.messages) if message.get("role") == "user")
    return next(map(words, said), "")
