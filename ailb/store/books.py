"""The ledger, in the database: admits what every budget can pay for, writes the holds down, and settles them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from itertools import count
from secrets import token_hex
from typing import Any, Final, NamedTuple

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import BudgetExceeded, Refusal, Unpriced
from ailb.ledger import Charge, Hold, Intent, Preview, Standing
from ailb.rates import Rates
from ailb.store.counters import Budget, Counter, Counters
from ailb.store.database import Database
from ailb.store.many import Many
from ailb.store.schema import HOLDS
from ailb.store.scopes import MOST_NANOS, Spender, ids, spender
from ailb.store.seen import seen
from ailb.store.settling import Settlement, close, take
from ailb.store.writer import Unsure
from ailb.usage import MOST

_WHAT: Final = ("rates", "prompt_tokens", "output_tokens", "nanos", "tokens", "windows")
_INSERT: Final = Many(insert(HOLDS), ("id", "process_id", "at", "request_id", "session_id", "attempt", *Spender._fields, *_WHAT))


class _Request(NamedTuple):
    """An intent that waits for its hold."""

    id: str
    intent: Intent
    spender: Spender


class Books:
    """An `ailb.ledger.Ledger`. `process_id` is whose holds these are."""

    def __init__(self, database: Database, process_id: str) -> None:
        self._database = database
        self._process_id = process_id
        self._counters = Counters(database.windows)
        self._series = token_hex(8)  # drawn once: to ask the system for every id takes longer than to write it down
        self._numbers = count()
        self._rates: Callable[[Rates], str] = lru_cache(1024)(Rates.json)
        self._spender: Callable[[str, str | None, str, str, str], Spender] = lru_cache(1024)(spender)

    async def hold(self, intent: Intent) -> Hold:
        """See Ledger. Whoever is cancelled meanwhile holds nothing."""
        self._database.check()
        who = self._spender(intent.user, intent.key_id, intent.provider, intent.model, intent.asked)
        request = _Request(f"{self._series}{next(self._numbers):012x}", intent, who)
        future = self._database.writer.put(self.write, request)
        try:
            hold: Hold = await future
        except (asyncio.CancelledError, Unsure):  # it may have been written down all the same
            self._put((request.id, None))
            raise
        return hold

    async def preview(self, intent: Intent) -> Preview:
        """See Ledger. The budgets are read one after the other, as of about now."""
        budgets = await seen(self._database, intent)
        answer = _decide("", intent, budgets)
        if isinstance(answer, Hold):
            return Preview(answer)
        return Preview(Hold("", intent, 0, 0, 0, tuple(_standing(*one) for one in budgets)), answer)

    def settle(self, hold: Hold, charge: Charge) -> Awaitable[None]:
        """See Ledger. While the database is down, it is kept and tried again."""
        return self._put((hold.id, charge))

    async def write(self, connection: AsyncConnection, items: Sequence[_Request | Settlement]) -> list[Any]:
        """A Batch. What is settled comes first: what it gives back is there for those who ask."""
        settlements = [item for item in items if not isinstance(item, _Request)]
        requests = [item for item in items if isinstance(item, _Request)]
        answers = iter(await self._write(connection, settlements, requests))
        return [next(answers) if isinstance(item, _Request) else None for item in items]

    async def close_out(self, connection: AsyncConnection, settlements: Sequence[Settlement]) -> None:
        """Settles holds of others, in the middle of a `Database.write`."""
        await self._write(connection, settlements, ())

    def _put(self, settlement: Settlement) -> asyncio.Future[None]:
        return self._database.writer.put(self.write, settlement, keep=True)

    async def _write(
        self, connection: AsyncConnection, settlements: Sequence[Settlement], requests: Sequence[_Request]
    ) -> list[Hold | Refusal]:
        """All counters are read at once and written at once, for those who give back and those who ask. An answer for each request."""
        counters, now = self._counters, self._database.micros()
        settled = await take(connection, settlements) if settlements else []
        if not settled and not requests:
            return []
        whose = [(one.spender, one.at) for one in settled] + [(one.spender, now) for one in requests]
        paying = await counters.paying(connection, whose)
        spent, asked = list(zip(settled, paying[: len(settled)], strict=True)), paying[len(settled) :]
        places = {place for pays in set(paying) for place in pays.budgets}
        places.update(place for one, pays in spent for place in one.held(pays))
        found = await counters.read(connection, places)
        await close(connection, spent, found)
        budgets = {pays: await counters.counted(connection, pays, found) for pays in dict.fromkeys(asked)}
        answers: list[Hold | Refusal] = []
        holds: list[tuple[Any, ...]] = []
        for request, pays in zip(requests, asked, strict=True):
            answer = _decide(request.id, request.intent, budgets[pays])
            answers.append(answer)
            if isinstance(answer, Hold):
                holds.append(self._row(request, answer, pays.windows, now))
        await _INSERT.execute(connection, holds)
        await counters.save(connection, found)
        return answers

    def _row(self, request: _Request, hold: Hold, windows: str, now: int) -> tuple[Any, ...]:
        intent = request.intent
        rates = None if intent.rates is None else self._rates(intent.rates)
        what = (rates, intent.prompt_tokens, hold.output_tokens, hold.nanos, hold.tokens, windows)
        return (hold.id, self._process_id, now, *ids(intent), intent.attempt, *request.spender, *what)


def _decide(id: str, intent: Intent, budgets: Sequence[tuple[Budget, Counter]]) -> Hold | Refusal:
    """A hold, counted in every budget, or the refusal."""
    rates = intent.rates
    if budgets and rates is None:
        return Unpriced(f"the price of {intent.model} at {intent.provider} is not known, and a budget applies")
    output = _granted(intent, budgets)
    if output < min(intent.least_tokens, intent.output_tokens):
        return BudgetExceeded()
    most = intent.choices * output
    tokens = intent.prompt_tokens + most
    nanos = 0 if rates is None else min(rates.worst(intent.prompt_tokens, most), MOST_NANOS)
    for _, counter in budgets:
        counter.hold(nanos, tokens)
    return Hold(id, intent, nanos, tokens, output, tuple([_standing(budget, counter) for budget, counter in budgets]))


def _granted(intent: Intent, budgets: Sequence[tuple[Budget, Counter]]) -> int:
    """Output tokens for each choice: as many as asked for, or as every budget can pay for; -1 where not even the prompt fits."""
    most = min(intent.output_tokens, MOST) * intent.choices
    for budget, counter in budgets:
        nanos, tokens = budget.left(counter)
        if nanos is not None and intent.rates is not None:
            most = min(most, intent.rates.affords(nanos, intent.prompt_tokens))
        if tokens is not None:
            most = min(most, tokens - intent.prompt_tokens)
    return most // intent.choices


def _standing(budget: Budget, counter: Counter) -> Standing:
    nanos, tokens = budget.left(counter)
    return Standing(budget.id, budget.scope, nanos, tokens, budget.warns(counter))
