"""The money of one exchange: at most one hold at a time, and a charge for each."""

import asyncio
from copy import copy
from dataclasses import dataclass, replace
from typing import Final

import structlog

from ailb.dialect import Event
from ailb.errors import BudgetExceeded
from ailb.exchange import Attempt, Exchange, Outcome
from ailb.ledger import Charge, Hold, Intent, Ledger, Status
from ailb.money import text
from ailb.prompt import Prompt
from ailb.rates import Prices
from ailb.tokens import Counter, bound
from middleware.budget_bill import Bill, Open, Rough, bill, cost, error
from middleware.budget_share import Shares
from middleware.budget_told import COST_HEADER, tell_standings, with_cost

LOG = structlog.get_logger("ailb.budget")
COUNT_SECONDS: Final = 2.0
CLAMPED_HEADER: Final = "x-ailb-max-tokens-clamped"


@dataclass(frozen=True, slots=True)
class Till:
    """What all exchanges pay at."""

    ledger: Ledger
    prices: Prices
    counter: Counter
    shares: Shares


class Tab:
    """`open` is called before each attempt, `see` for each event, `settle` once at the end, whatever happened."""

    __slots__ = ("_attempts", "_exchange", "_open", "_own", "_till")

    def __init__(self, till: Till, exchange: Exchange) -> None:
        self._till = till
        self._exchange = exchange
        self._own: Prompt | None = None
        self._open: Open | None = None
        self._attempts = 0

    async def open(self, attempt: Attempt) -> None:
        """Raises BudgetExceeded, Unpriced or Unavailable; then nothing is held."""
        await self._close("failed", self._exchange.elapsed)
        exchange = self._exchange
        self._uncap()
        intent, longest = self._intent(attempt)
        hold = await self._hold(intent)
        self._attempts = intent.attempt
        self._open = Open(attempt, hold, exchange.prompt)
        attempt.cost = 0
        self._till.shares.learn(hold)
        tell_standings(exchange, hold)
        if _limits(hold) and (longest is None or hold.output_tokens < longest):
            self._cap(hold.output_tokens)

    async def _hold(self, intent: Intent) -> Hold:
        """The bound of a prompt is several times what it takes. Before that refuses anybody, the prompt is counted."""
        try:
            return await self._till.ledger.hold(intent)
        except BudgetExceeded:
            try:
                async with asyncio.timeout(COUNT_SECONDS):
                    given = await self._till.counter.count_prompt(self._exchange.prompt, intent.model)
            except TimeoutError:
                given = intent.prompt_tokens
            if given >= intent.prompt_tokens:
                raise
        return await self._till.ledger.hold(replace(intent, prompt_tokens=given))

    def see(self, event: Event) -> Event:
        """Tells the cost with the event that has the usage. Counts what is there to be counted."""
        open, exchange = self._open, self._exchange
        if open is None:
            return event
        open.seen.take(event)
        if event.usage is None or open.hold.intent.rates is None:
            return event
        usage = open.seen.exact
        if usage is None:
            return event
        nanos = (exchange.cost or 0) + cost(open.hold, usage)
        if not exchange.prompt.stream:
            exchange.reply_headers[COST_HEADER] = text(nanos)
            return event
        return with_cost(event, nanos) if exchange.prompt.dialect == "chat" and exchange.prompt.wants_usage else event

    async def settle(self, outcome: Outcome) -> None:
        open = self._open
        if open is None:
            return
        failed = open.attempt.failure is not None
        await self._close("failed" if failed else outcome.status, outcome.seconds, outcome, wait=True)

    async def _close(self, status: Status, now: float, outcome: Outcome | None = None, *, wait: bool = False) -> None:
        """Charges the open attempt, if there is one. Until then it stays open, should this be cancelled."""
        open = self._open
        if open is None:
            return
        attempt, exchange = open.attempt, self._exchange
        asked = bool(exchange.attempts) and exchange.attempts[-1] is attempt
        came_to = await self._bill(open, asked=asked)
        charge = Charge(
            status,
            came_to.usage,
            came_to.nanos,
            came_to.estimated,
            http_status=attempt.status,
            error=error(attempt.failure or (outcome.refusal if outcome else None)),
            latency_ms=_ms(now - attempt.started),
            first_event_ms=None if attempt.first_event is None else _ms(attempt.first_event - attempt.started),
        )
        self._open = None
        written = self._till.ledger.settle(open.hold, charge)
        if open.hold.intent.rates is not None:
            attempt.cost = came_to.nanos
            exchange.cost = (exchange.cost or 0) + came_to.nanos
        if came_to.estimated:
            exchange.notes["cost_estimated"] = True
        if wait:
            await written

    async def _bill(self, open: Open, *, asked: bool) -> Bill:
        """The first count loads a vocabulary, which a busy machine may not do in time."""
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                return await bill(open, self._till.counter, asked=asked)
        except TimeoutError:
            LOG.warning("tokens counted roughly", id=self._exchange.id)
        # Whatever keeps it from being counted, the hold must not stay open for ever.
        except Exception:
            LOG.exception("tokens counted roughly", id=self._exchange.id)
        return await bill(open, Rough(), asked=asked)

    def _intent(self, attempt: Attempt) -> tuple[Intent, int | None]:
        """And the longest answer that is possible without any cap of ours; None where nobody knows."""
        exchange, prices, target = self._exchange, self._till.prices, attempt.target
        prompt, caller = exchange.prompt, exchange.caller
        given, tier = bound(prompt, target.model), prompt.body.get("service_tier")
        context, known = prices.context(target), prices.most_output(target)
        intent = Intent(
            exchange.id,
            max(attempt.number, self._attempts + 1),
            caller.user,
            caller.key_id,
            target.provider,
            target.model,
            prompt.model,
            prices.rates(target, tier if isinstance(tier, str) else ""),
            prompt_tokens=given if context is None else min(given, context),
            output_tokens=0,
            choices=(prompt.body.get("n") or 1) if prompt.dialect == "chat" else 1,
            session_id=prompt.session_id,
        )
        cap = prompt.output_cap
        if cap is None:
            return replace(intent, output_tokens=self._till.shares.most(intent, known, sure=known != context)), known
        longest = cap if known is None else min(cap, known)
        return replace(intent, output_tokens=longest, least_tokens=min(1, longest)), longest

    def _cap(self, tokens: int) -> None:
        """In a copy of the prompt: another target may take the longer answer."""
        own = self._exchange.prompt
        capped = copy(own)
        capped.body = dict(own.body)
        capped.cap_output(tokens)
        self._own, self._exchange.prompt = own, capped
        self._exchange.reply_headers[CLAMPED_HEADER] = str(tokens)
        self._exchange.notes["clamped"] = tokens

    def _uncap(self) -> None:
        if self._own is not None:
            self._exchange.prompt, self._own = self._own, None
        self._exchange.reply_headers.pop(CLAMPED_HEADER, None)
        self._exchange.notes.pop("clamped", None)


def _limits(hold: Hold) -> bool:
    """Whether the answer's length matters to a budget."""
    limited = any(standing.left_nanos is not None for standing in hold.standings)
    return (limited and hold.nanos > 0) or any(standing.left_tokens is not None for standing in hold.standings)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
