"""The ledger, in the database: admits what every budget can pay for, writes the holds down, and settles them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count
from secrets import token_hex
from typing import Any, Final

import orjson
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import BudgetExceeded, Refusal, Unpriced
from ailb.ledger import Charge, Hold, Intent, Preview, Standing
from ailb.rates import Rates
from ailb.store.counters import Budget, Counter, Counters, Place, Scope
from ailb.store.database import Database
from ailb.store.many import Many
from ailb.store.schema import HOLDS
from ailb.store.scopes import COLUMNS, MOST_NANOS, columns, scopes
from ailb.store.seen import seen
from ailb.store.settling import Settlement, give_back, take, write_down
from ailb.store.writer import Unsure
from ailb.usage import MOST

_OWN: Final = ("id", "process_id", "at", "rates", "output_tokens", "nanos", "tokens", "windows")
_INSERT: Final = Many(insert(HOLDS), (*_OWN, *COLUMNS))


@dataclass(frozen=True, slots=True)
class _Request:
    """An intent that waits for its hold."""

    id: str
    intent: Intent
    row: Mapping[str, Any]
    scopes: tuple[Scope, ...]


class Books:
    """An `ailb.ledger.Ledger`. `process_id` is whose holds these are."""

    def __init__(self, database: Database, process_id: str) -> None:
        self._database = database
        self._process_id = process_id
        self._counters = Counters(database.windows)
        self._series = token_hex(8)  # drawn once: to ask the system for every id takes longer than to write it down
        self._numbers = count()
        self._rates: Callable[[Rates], str] = lru_cache(1024)(Rates.json)

    async def hold(self, intent: Intent) -> Hold:
        """See Ledger. Whoever is cancelled meanwhile holds nothing."""
        self._database.check()
        row = columns(intent)
        request = _Request(f"{self._series}{next(self._numbers):012x}", intent, row, scopes(row))
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
        answer = _decide(_Request("", intent, {}, ()), budgets)
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
        holds = await self._write(connection, settlements, requests)
        return [holds[item.id] if isinstance(item, _Request) else None for item in items]

    async def close_out(self, connection: AsyncConnection, settlements: Sequence[Settlement]) -> None:
        """Settles holds of others, in the middle of a `Database.write`."""
        await self._write(connection, settlements, ())

    def _put(self, settlement: Settlement) -> asyncio.Future[None]:
        return self._database.writer.put(self.write, settlement, keep=True)

    async def _write(
        self, connection: AsyncConnection, settlements: Sequence[Settlement], requests: Sequence[_Request]
    ) -> dict[str, Hold | Refusal]:
        """All counters are read at once and written at once, for those who give back and those who ask."""
        counters, now = self._counters, self._database.micros()
        settled = await take(connection, settlements) if settlements else []
        if not settled and not requests:
            return {}
        await counters.budgets(connection, chain(*(one.scopes for one in settled), *(request.scopes for request in requests)))
        held = [one.held for one in settled]
        spent = [counters.paying(one.scopes, one.row["at"]) for one in settled]
        paying = {request.id: counters.paying(request.scopes, now) for request in requests}
        found = await counters.read(connection, set(chain(*held, *spent, *paying.values())))
        for one, back, places in zip(settled, held, spent, strict=True):
            give_back(one, back, places, found)
        await write_down(connection, settled)
        for places in paying.values():
            for place in places.keys() - found.keys():
                found[place] = await counters.begin(connection, places[place], place[1])
        answers = {one.id: _decide(one, [(budget, found[place]) for place, budget in paying[one.id].items()]) for one in requests}
        holds = [answer for answer in answers.values() if isinstance(answer, Hold)]
        rows = {request.id: request.row for request in requests}
        await _INSERT.execute(connection, [self._row(rows[hold.id], hold, paying[hold.id], now) for hold in holds])
        await counters.save(connection, found)
        return answers

    def _row(self, row: Mapping[str, Any], hold: Hold, places: Collection[Place], now: int) -> tuple[Any, ...]:
        rates = None if hold.intent.rates is None else self._rates(hold.intent.rates)
        windows = orjson.dumps(list(places)).decode() if places else "[]"
        own = (hold.id, self._process_id, now, rates, hold.output_tokens, hold.nanos, hold.tokens, windows)
        return (*own, *row.values())


def _decide(request: _Request, budgets: Sequence[tuple[Budget, Counter]]) -> Hold | Refusal:
    """A hold, counted in every budget, or the refusal."""
    intent = request.intent
    if budgets and intent.rates is None:
        return Unpriced(f"the price of {intent.model} at {intent.provider} is not known, and a budget applies")
    output = _granted(intent, budgets)
    if output < min(intent.least_tokens, intent.output_tokens):
        return BudgetExceeded()
    tokens = intent.prompt_tokens + intent.choices * output
    nanos = min(intent.rates.worst(intent.prompt_tokens, intent.choices * output), MOST_NANOS) if intent.rates else 0
    for _, counter in budgets:
        counter.hold(nanos, tokens)
    return Hold(request.id, intent, nanos, tokens, output, tuple(_standing(budget, counter) for budget, counter in budgets))


def _granted(intent: Intent, budgets: Sequence[tuple[Budget, Counter]]) -> int:
    """Output tokens for each choice: as many as asked for, or as every budget can pay for; -1 where not even the prompt fits."""
    left_nanos = [left for budget, counter in budgets if (left := _left_nanos(budget, counter)) is not None]
    left_tokens = [left for budget, counter in budgets if (left := _left_tokens(budget, counter)) is not None]
    most = MOST * intent.choices
    if left_nanos and intent.rates is not None:
        most = min(most, intent.rates.affords(min(left_nanos), intent.prompt_tokens))
    if left_tokens:
        most = min(most, min(left_tokens) - intent.prompt_tokens)
    return min(intent.output_tokens, most // intent.choices)


def _left_nanos(budget: Budget, counter: Counter) -> int | None:
    return None if budget.limit_nanos is None else budget.limit_nanos - counter.spent_nanos - counter.held_nanos


def _left_tokens(budget: Budget, counter: Counter) -> int | None:
    return None if budget.limit_tokens is None else budget.limit_tokens - counter.spent_tokens - counter.held_tokens


def _standing(budget: Budget, counter: Counter) -> Standing:
    soft = budget.soft_limit_ppm
    nanos, tokens = counter.spent_nanos + counter.held_nanos, counter.spent_tokens + counter.held_tokens
    warning = (budget.limit_nanos is not None and nanos * 1_000_000 >= budget.limit_nanos * soft) or (
        budget.limit_tokens is not None and tokens * 1_000_000 >= budget.limit_tokens * soft
    )
    return Standing(budget.id, budget.scope, _left_nanos(budget, counter), _left_tokens(budget, counter), warning)
