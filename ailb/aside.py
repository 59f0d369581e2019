"""Requests of the gateway's own, beside the one that a client made: summaries, copies for another model.

They go through the inner layers, so that they are held, charged, routed and retried like any other.
"""

from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

import structlog

from ailb.errors import Refusal
from ailb.exchange import Caller, Exchange, Outcome, Reply
from ailb.prompt import Prompt
from ailb.stack import Next

LOG = structlog.get_logger("ailb.aside")


async def _nobody(exchange: Exchange) -> Any:
    raise LookupError("there is no onion yet")


@dataclass(slots=True)
class Aside:
    """A service. `call` is the inner part of the onion, set when that is built."""

    call: Next = field(default=_nobody)

    async def ask(self, caller: Caller, id: str, body: dict[str, Any]) -> Outcome:
        """What came of a chat completion request. Raises nothing but bugs and cancellation: `Outcome.refusal` is what went wrong.

        `caller` pays. `id` is the request's in the ledger. All events are kept: `Outcome.text` is the answer.
        """
        exchange = Exchange(Prompt(body, {}), id=id, path="/v1/chat/completions")
        exchange.caller = caller
        outcome = Outcome("disconnected", 499, 0.0)
        reply: Reply | None = None
        try:
            reply = await self.call(exchange)
            async for batch in reply:
                outcome.events += batch
                outcome.usage = next((event.usage for event in reversed(batch) if event.usage), outcome.usage)
            outcome.status, outcome.http_status = "complete", 200
        except Refusal as refusal:
            outcome.status, outcome.http_status, outcome.refusal = "broken" if outcome.events else "refused", refusal.status, refusal
        finally:
            outcome.seconds = exchange.elapsed
            if reply is not None:
                reply.close()
            await _settle(exchange, outcome)
        return outcome


async def _settle(exchange: Exchange, outcome: Outcome) -> None:
    for settler in reversed(exchange.settlers):
        try:
            waiting = settler(outcome)
            if isawaitable(waiting):
                await waiting
        # A bug in one must not keep the others from giving back what they took.
        except Exception:
            LOG.exception("bug", id=exchange.id)
