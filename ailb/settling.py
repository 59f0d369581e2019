"""What an exchange came to, and how it is told to those who took something for it.

After the client left, an unshielded await in a generator's `finally` is cancelled, and what it would write is lost. So whatever is given
back or written down at the end is a settler's, and settlers run here: one after the other, out of reach of any cancellation.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

import structlog

from ailb.dialect import Event
from ailb.errors import forget_way
from ailb.exchange import Exchange, Outcome, Settler, Status
from ailb.gateway import Gateway

LOG = structlog.get_logger("ailb.settling")
SETTLE_SECONDS: Final = 10.0
"""How long a settler may take; then the next one has its turn."""


class Settling:
    """The outcome of one exchange: `see` and `end` write it, `run` tells it."""

    def __init__(self, exchange: Exchange, gateway: Gateway) -> None:
        self.outcome = Outcome("complete", 200, 0.0)
        self._exchange = exchange
        self._gateway = gateway

    def see(self, batch: Sequence[Event]) -> None:
        outcome = self.outcome
        for event in batch:
            if event.usage is not None:
                outcome.usage = event.usage
        if outcome.first_event is None and batch:
            outcome.first_event = self._exchange.elapsed
        if self._exchange.keep_events:
            outcome.events += batch

    def end(self, status: Status, http_status: int = 200) -> None:
        """The last one counts."""
        self.outcome.status = status
        self.outcome.http_status = http_status

    async def run(self) -> None:
        """The settlers, last registered first. From the first one that waits on, in a task that cancellation does not reach."""
        self.outcome.seconds = self._exchange.elapsed
        left = self._exchange.settlers
        while left:
            waiting = self._call(left.pop())
            if waiting is not None:
                await asyncio.shield(self._gateway.background(self._go_on(waiting, left)))
                return
        self._forget()

    async def _go_on(self, waiting: Awaitable[None] | None, left: list[Settler]) -> None:
        while waiting is not None or left:
            if waiting is None:
                waiting = self._call(left.pop())
                continue
            try:
                async with asyncio.timeout(SETTLE_SECONDS):
                    await waiting
            # One settler's bug must not keep the others from giving back what they took; nor may something that it waited for and
            # that was cancelled. Nobody cancels this task before the loop ends.
            except (Exception, asyncio.CancelledError):
                LOG.exception("settler failed", id=self._exchange.id)
            waiting = None
        self._forget()

    def _forget(self) -> None:
        forget_way(self.outcome.refusal)
        for attempt in self._exchange.attempts:
            forget_way(attempt.failure)

    def _call(self, settler: Settler) -> Awaitable[None] | None:
        try:
            return settler(self.outcome)
        # As above.
        except Exception:
            LOG.exception("settler failed", id=self._exchange.id)
            return None
