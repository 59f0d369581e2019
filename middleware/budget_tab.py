"""The money of one exchange: a hold for each attempt, and a charge for each hold."""

import asyncio
from collections.abc import Awaitable
from copy import copy
from dataclasses import dataclass
from typing import Final

import structlog

from ailb.dialect import Event
from ailb.errors import BudgetExceeded, Unpriced
from ailb.exchange import Attempt, Exchange, Outcome
from ailb.ledger import Charge, Hold, Intent, Ledger, Status
from ailb.money import text
from ailb.prompt import Prompt
from ailb.rates import Prices
from ailb.tokens import Counter, bound
from middleware.budget_bill import Bill, Open, Rough, error, estimated, known
from middleware.budget_record import note
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
    """`open` is called before each attempt, `tell` when one has answered or all have failed, `see` for each event, `settle` once at the
    end, whatever happened.
    """

    __slots__ = ("_exchange", "_open", "_till", "_told")

    def __init__(self, till: Till, exchange: Exchange) -> None:
        self._till = till
        self._exchange = exchange
        self._open: list[Open] = []
        self._told: Open | None = None

    async def open(self, attempt: Attempt) -> None:
        """Raises BudgetExceeded, Unpriced or Unavailable; then nothing is held. Attempts that came to nothing are charged first."""
        if self._open:
            await self._charge_vain()
        intent, longest = self._intent(attempt)
        hold = await self._hold(intent, attempt.prompt)
        capped = (longest is None or hold.output_tokens < longest) and _limits(hold)
        if not self._exchange.dry:
            self._open.append(Open(attempt, hold, attempt.prompt, capped=capped))
            attempt.cost = 0
            self._till.shares.learn(hold)
        note(self._exchange, hold, capped=capped)
        if capped:
            attempt.prompt = _capped(attempt.prompt, hold.output_tokens)

    def tell(self) -> None:
        """The headers about the attempt that answered, or about the last one."""
        if not self._open:
            return
        exchange = self._exchange
        told = self._told = self._of(exchange.answered) or self._open[-1]
        tell_standings(exchange, told.hold)
        if told.capped:
            exchange.reply_headers[CLAMPED_HEADER] = str(told.hold.output_tokens)
            exchange.notes["clamped"] = told.hold.output_tokens

    def _of(self, attempt: Attempt | None) -> Open | None:
        for open in self._open:
            if open.attempt is attempt:
                return open
        return None

    async def _charge_vain(self) -> None:
        for open in [open for open in self._open if open.attempt.over]:
            counting = self._close(open, _vain(open.attempt), open.attempt.ended or self._exchange.elapsed)
            if counting is not None:
                await counting

    async def _hold(self, intent: Intent, prompt: Prompt) -> Hold:
        """The bound of a prompt is several times what it takes. Before that refuses anybody, the prompt is counted."""
        counted = False
        while True:
            try:
                return await (self._preview(intent) if self._exchange.dry else self._till.ledger.hold(intent))
            except (BudgetExceeded, Unpriced) as refusal:
                if not self._exchange.dry:
                    note(self._exchange, Hold("", intent, 0, 0, 0), refusal)
                given = intent.prompt_tokens if counted or isinstance(refusal, Unpriced) else await self._count_prompt(intent, prompt)
                if given >= intent.prompt_tokens:
                    raise
            intent, counted = intent._replace(prompt_tokens=given), True

    async def _count_prompt(self, intent: Intent, prompt: Prompt) -> int:
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                return await self._till.counter.count_prompt(prompt, intent.model)
        except TimeoutError:
            return intent.prompt_tokens

    async def _preview(self, intent: Intent) -> Hold:
        """What a hold would be."""
        preview = await self._till.ledger.preview(intent)
        if preview.refusal is not None:
            note(self._exchange, preview.hold, preview.refusal)
            raise preview.refusal
        return preview.hold

    def see(self, event: Event) -> Event:
        """Tells the cost with the event that has the usage. Counts what is there to be counted."""
        open, exchange = self._told, self._exchange
        if open is None:
            return event
        open.seen.take(event)
        if event.usage is None or open.hold.intent.rates is None:
            return event
        exact = open.exact
        if exact is None:
            return event
        nanos = (exchange.cost or 0) + exact.nanos
        if not exchange.prompt.stream:
            exchange.reply_headers[COST_HEADER] = text(nanos)
            return event
        return with_cost(event, nanos) if exchange.prompt.dialect == "chat" and exchange.prompt.wants_usage else event

    def settle(self, outcome: Outcome) -> Awaitable[None] | None:
        """Nobody waits until it is written down: the ledger keeps it until then, and others have something to give back after this."""
        while self._open:
            attempt = self._open[0].attempt
            over = attempt.failure is not None or (attempt.abandoned and outcome.status == "complete")
            ended = attempt.ended if over and attempt.ended is not None else outcome.seconds
            counting = self._close(self._open[0], _vain(attempt) if over else outcome.status, ended, outcome)
            if counting is not None:
                return self._settle_on(counting, outcome)
        return None

    async def _settle_on(self, counting: Awaitable[None], outcome: Outcome) -> None:
        await counting
        left = self.settle(outcome)
        if left is not None:
            await left

    def _close(self, open: Open, status: Status, now: float, outcome: Outcome | None = None) -> Awaitable[None] | None:
        """Charges an open attempt; at once, where nothing has to be counted first."""
        came_to = known(open, asked=open.attempt in self._exchange.attempts)
        if came_to is None:
            return self._count(open, status, now, outcome)
        self._charge(open, came_to, status, now, outcome)
        return None

    async def _count(self, open: Open, status: Status, now: float, outcome: Outcome | None) -> None:
        """Until it is counted the attempt stays open, should this be cancelled."""
        self._charge(open, await self._bill(open), status, now, outcome)

    def _charge(self, open: Open, came_to: Bill, status: Status, now: float, outcome: Outcome | None) -> None:
        self._open.remove(open)
        exchange, attempt = self._exchange, open.attempt
        usage, nanos, estimated = came_to
        wrong = error(attempt.failure or (outcome.refusal if outcome else None))
        first = None if attempt.first_event is None else _ms(attempt.first_event - attempt.started)
        charge = Charge(status, usage, nanos, estimated, attempt.status, wrong, _ms(now - attempt.started), first)
        self._till.ledger.settle(open.hold, charge)
        if open.hold.intent.rates is not None:
            attempt.cost = nanos
            exchange.cost = (exchange.cost or 0) + nanos
        if estimated:
            exchange.notes["cost_estimated"] = True

    async def _bill(self, open: Open) -> Bill:
        """The first count loads a vocabulary, which a busy machine may not do in time."""
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                return await estimated(open, self._till.counter)
        except TimeoutError:
            LOG.warning("tokens counted roughly", id=self._exchange.id)
        # Whatever keeps it from being counted, the hold must not stay open for ever.
        except Exception:
            LOG.exception("tokens counted roughly", id=self._exchange.id)
        return await estimated(open, Rough())

    def _intent(self, attempt: Attempt) -> tuple[Intent, int | None]:
        """And the longest answer that is possible without any cap of ours; None where nobody knows."""
        exchange, prices, target = self._exchange, self._till.prices, attempt.target
        prompt, caller = attempt.prompt, exchange.caller
        given, tier = bound(prompt, target.model), prompt.body.get("service_tier")
        context, known = prices.context(target), prices.most_output(target)
        cap = prompt.output_cap
        longest = cap if cap is None or known is None else min(cap, known)
        intent = Intent(
            exchange.id,
            attempt.number,
            caller.user,
            caller.key_id,
            target.provider,
            target.model,
            prompt.model,
            prices.rates(target, tier if isinstance(tier, str) else ""),
            prompt_tokens=given if context is None else min(given, context),
            output_tokens=longest or 0,
            least_tokens=1 if longest is None else min(1, longest),
            choices=(prompt.body.get("n") or 1) if prompt.dialect == "chat" else 1,
            session_id=prompt.session_id,
        )
        if longest is None:
            return intent._replace(output_tokens=self._till.shares.most(intent, known, sure=known != context)), known
        return intent, longest


def _vain(attempt: Attempt) -> Status:
    return "abandoned" if attempt.failure is None else "failed"


def _capped(prompt: Prompt, tokens: int) -> Prompt:
    """A copy: another target may take the longer answer."""
    capped = copy(prompt)
    capped.body = dict(prompt.body)
    capped.cap_output(tokens)
    return capped


def _limits(hold: Hold) -> bool:
    """Whether the answer's length matters to a budget."""
    return any(one.left_tokens is not None or (one.left_nanos is not None and hold.nanos > 0) for one in hold.standings)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
