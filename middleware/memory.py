"""Conversations: what was said before in a session goes into its next request, and what is said now is remembered."""

import asyncio
from contextlib import suppress
from random import uniform
from types import TracebackType
from typing import Final, Self

import structlog

from ailb.aside import Aside
from ailb.embed_question import Questions
from ailb.embedding import Embedder
from ailb.errors import Unavailable
from ailb.exchange import Exchange, Reply
from ailb.models import Models
from ailb.rates import Prices
from ailb.sessions import Limits, Session, Sessions
from ailb.stack import Next
from ailb.tally import Tally
from ailb.tokens import Counter
from middleware.memory_desk import Desk
from middleware.memory_room import Room
from middleware.memory_summary import Summaries
from middleware.memory_talk import Means, Talk

LOG = structlog.get_logger("ailb.memory")
HEADER: Final = "x-ailb-memory"
DAY: Final = 86_400
READ_SECONDS: Final = 3.0
"""How long a request waits for what is remembered, at the worst; then it goes on without. A store that is gone says so sooner."""

PRUNE_SECONDS: Final = 600.0
_ALONE: Final = Aside()


class Memory:
    """For requests with a `session_id`. The last turns go in front of them word for word, in at most `recent_tokens`; older ones that
    belong to the question, and the summary, into one message before those, in at most `recalled_tokens`. With less room in the model's
    context it is less. What the client sends itself is not repeated.

    Turns are kept for `keep_days`; of each session the last `max_turns`, in at most `max_bytes`; of each user the `max_sessions` that were
    used last. `summary_model` sums up what is older than the last turns, in `summary_tokens`, at the user's expense; empty: nobody does.

    Fails open: while the store is gone, requests go on without, are told so in `x-ailb-memory`, and are not remembered.
    """

    def __init__(
        self,
        sessions: Sessions,
        models: Models,
        prices: Prices,
        counter: Counter,
        embedder: Embedder,
        tally: Tally,
        aside: Aside = _ALONE,
        *,
        recent_tokens: int = 4000,
        recalled_tokens: int = 1500,
        summary_model: str = "",
        summary_tokens: int = 400,
        keep_days: float = 30.0,
        max_turns: int = 1000,
        max_bytes: int = 1_048_576,
        max_sessions: int = 10_000,
    ) -> None:
        if recent_tokens < 0 or recalled_tokens < 0:
            raise ValueError("recent_tokens and recalled_tokens must not be negative")
        if keep_days <= 0 or min(max_turns, max_bytes, max_sessions, summary_tokens) < 1:
            raise ValueError("keep_days must be more than 0; max_turns, max_bytes, max_sessions and summary_tokens at least 1")
        if summary_model and aside is _ALONE:
            raise ValueError("summary_model needs a gateway that asks for itself")
        limits = Limits(keep_days * DAY, max_turns, max_bytes, max_sessions)
        room = Room(models, prices, counter)
        summaries = Summaries(sessions, aside, summary_model, summary_tokens) if summary_model else None
        self._desk = Desk(tally)
        self._means = Means(sessions, room, self._desk, limits, recent_tokens, recalled_tokens, embedder, Questions(embedder), summaries)
        self._pruning: asyncio.Task[None] | None = None

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        id = exchange.prompt.session_id
        if not id:
            return await call_next(exchange)
        session = Session(exchange.caller.user, id)
        talk = Talk(self._means, exchange, session)
        await self._desk.written(session)
        try:
            async with asyncio.timeout(READ_SECONDS):
                await talk.put_in()
            if not exchange.dry:
                talk.begin()
        except (Unavailable, TimeoutError):
            exchange.reply_headers[HEADER] = exchange.notes["memory"] = "unavailable"
            exchange.record["memory"] = {"session": id, "unavailable": True}
            return await call_next(exchange)
        if exchange.dry:
            return await call_next(exchange)
        exchange.on_settle(talk.settle)
        reply = await call_next(exchange)
        reply.each(talk.heard.see)
        return reply

    async def __aenter__(self) -> Self:
        self._pruning = asyncio.create_task(self._prune())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """After what was said is written down, if it can be."""
        if self._pruning is not None:
            self._pruning.cancel()
            await asyncio.wait((self._pruning,))
        await self._desk.close()

    async def _prune(self) -> None:
        """Every gateway does, at its own time: what another one has forgotten is not there any more."""
        while True:
            await asyncio.sleep(uniform(0.5, 1.0) * PRUNE_SECONDS)  # noqa: S311 - no secret
            with suppress(Unavailable):
                pruned = await self._means.sessions.prune(self._means.limits.seconds)
                LOG.info("forgotten for their age", sessions=pruned)
