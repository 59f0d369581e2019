"""Another model is asked the same, and nobody hears what it says: how it would do is in the log, the metrics and the ledger."""

import asyncio
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Final, Self

import structlog

from ailb.aside import Aside
from ailb.errors import BadRequest, UpstreamRefusal
from ailb.exchange import Caller, Exchange, Outcome, Reply
from ailb.meter import Meter
from ailb.models import Models
from ailb.stack import Next

LOG = structlog.get_logger("ailb.shadow")
USER: Final = "shadow"
"""Who pays: nobody's key, and a user of whose budget the admin may decide."""

SUFFIX: Final = "-shadow"
MOST_ID: Final = 128
"""Characters of a request's id in the ledger."""


class Shadow:
    """Of the requests for `model` (names or patterns), a `share` is asked of the model `to` as well, `most_parallel` of them at a time;
    what is more is not copied.

    Only what was answered is copied, when that is over: so a copy takes nothing from the request, and nobody can spend by it what a budget
    or a limit has refused. It is a chat completion, streamed as the request was, with what memory and documents have put into the prompt;
    what no chat completion can say is not copied.
    """

    def __init__(
        self, aside: Aside, meter: Meter, models: Models, *, model: list[str], to: str, share: float = 1.0, most_parallel: int = 10
    ) -> None:
        if not model:
            raise ValueError("model must name at least one")
        if not 0 <= share <= 1:
            raise ValueError("share must be from 0 to 1")
        if most_parallel < 1:
            raise ValueError("most_parallel must be at least 1")
        if not to or "*" in to:
            raise ValueError("to must be the name of one model")
        self._aside = aside
        self._meter = meter
        self._models = models
        self._patterns = model
        self._to = to
        self._share = share
        self._most = most_parallel
        self._dice = Random()  # noqa: S311 - no secret
        self._copies: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        copies = list(self._copies)
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        if not exchange.dry and self._wants(exchange.prompt.model or self._models.default) and self._dice.random() < self._share:
            exchange.on_settle(lambda outcome: self._begin(exchange, outcome))
        return await call_next(exchange)

    def _wants(self, model: str) -> bool:
        return any(fnmatchcase(model, pattern) for pattern in self._patterns)

    def _begin(self, exchange: Exchange, outcome: Outcome) -> None:
        if outcome.status != "complete" or exchange.answered is None or len(self._copies) >= self._most:
            return
        prompt = exchange.prompt
        try:
            body = {**prompt.chat(), "model": self._to, "stream": prompt.stream}
        except BadRequest:  # only its own dialect can say it
            return
        exchange.notes["shadowed"] = self._to
        copy = asyncio.create_task(self._copy(exchange, body))
        self._copies.add(copy)
        copy.add_done_callback(self._copies.discard)

    async def _copy(self, exchange: Exchange, body: dict[str, Any]) -> None:
        try:
            outcome = await self._aside.ask(Caller(USER), exchange.id[: MOST_ID - len(SUFFIX)] + SUFFIX, body)
        # Nobody awaits this: a bug in a layer would be told when the garbage is collected, or never.
        except Exception:
            LOG.exception("bug", id=exchange.id)
            return
        self._meter.shadow(self._to, outcome)
        _tell(exchange, self._to, outcome)


def _tell(exchange: Exchange, to: str, outcome: Outcome) -> None:
    usage, refusal = outcome.usage, outcome.refusal
    LOG.info(
        "shadow",
        id=exchange.id,
        model=to,
        outcome=outcome.status,
        status=outcome.http_status,
        error=refusal.type if isinstance(refusal, UpstreamRefusal) else refusal.message if refusal else None,
        latency_ms=round(outcome.seconds * 1000, 1),
        input_tokens=usage.input if usage else None,
        output_tokens=usage.output if usage else None,
    )
