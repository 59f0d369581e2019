"""The ledger, in the database: admits what every budget can pay for, writes the holds down, and settles them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from secrets import token_hex
from typing import Any, Final

import orjson
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import BudgetExceeded, Unpriced
from ailb.ledger import Charge, Hold, Intent, Standing
from ailb.rates import Rates
from ailb.store.counters import Budget, Counter, Counters, Place, applying
from ailb.store.database import Database
from ailb.store.many import Many
from ailb.store.schema import HOLDS
from ailb.store.scopes import COLUMNS, MOST_NANOS, columns, scopes
from ailb.store.settling import Settlement, settle
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


class Books:
    """An `ailb.ledger.Ledger`. `process_id` is whose holds these are."""

    def __init__(self, database: Database, process_id: str) -> None:
        self._database = database
        self._process_id = process_id
        self._counters = Counters(database.windows)
        self._rates: Callable[[Rates], str] = lru_cache(1024)(Rates.json)

    async def hold(self, intent: Intent) -> Hold:
        """See Ledger. Whoever is cancelled meanwhile holds nothing."""
        self._database.check()
        request = _Request(token_hex(12), intent, columns(intent))
        future = self._database.writer.put(self.write, request)
        try:
            hold: Hold = await future
        except (asyncio.CancelledError, Unsure):  # it may have been written down all the same
            self._put((request.id, None))
            raise
        return hold

    def settle(self, hold: Hold, charge: Charge) -> Awaitable[None]:
        """See Ledger. While the database is down, it is kept and tried again."""
        return self._put((hold.id, charge))

    async def write(self, connection: AsyncConnection, items: Sequence[_Request | Settlement]) -> list[Any]:
        """A Batch. What is settled comes first: what it gives back is there for those who ask."""
        settlements = [item for item in items if not isinstance(item, _Request)]
        if settlements:
            await settle(connection, self._counters, settlements)
        requests = [item for item in items if isinstance(item, _Request)]
        holds = await self._hold(connection, requests) if requests else {}
        return [holds[item.id] if isinstance(item, _Request) else None for item in items]

    async def close_out(self, connection: AsyncConnection, settlements: Sequence[Settlement]) -> None:
        """Settles holds of others, in the middle of a `Database.write`."""
        await settle(connection, self._counters, settlements)

    def _put(self, settlement: Settlement) -> asyncio.Future[None]:
        return self._database.writer.put(self.write, settlement, keep=True)

    async def _hold(self, connection: AsyncConnection, requests: Sequence[_Request]) -> dict[str, Hold | Exception]:
        now = self._database.micros()
        budgets = await self._counters.budgets(connection, (scope for request in requests for scope in scopes(request.row)))
        paying = {request.id: self._places(applying(budgets, scopes(request.row)), now) for request in requests}
        found = await self._counters.read(connection, (place for places in paying.values() for place in places))
        for places in paying.values():
            for place, budget in places.items():
                if place not in found:
                    found[place] = await self._counters.begin(connection, budget, place[1])
        answers: dict[str, Hold | Exception] = {}
        rows = []
        for request in requests:
            places = paying[request.id]
            answers[request.id] = answer = _decide(request, [(budget, found[place]) for place, budget in places.items()])
            if isinstance(answer, Hold):
                rows.append(self._row(request, answer, places, now))
        await _INSERT.execute(connection, rows)
        await self._counters.save(connection, found)
        return answers

    def _places(self, budgets: Sequence[Budget], now: int) -> dict[Place, Budget]:
        return {(budget.id, self._counters.windows.start(budget.period, now)): budget for budget in budgets}

    def _row(self, request: _Request, hold: Hold, places: Mapping[Place, Budget], now: int) -> tuple[Any, ...]:
        rates = None if request.intent.rates is None else self._rates(request.intent.rates)
        windows = orjson.dumps(list(places)).decode() if places else "[]"
        own = (hold.id, self._process_id, now, rates, hold.output_tokens, hold.nanos, hold.tokens, windows)
        return (*own, *request.row.values())


def _decide(request: _Request, budgets: Sequence[tuple[Budget, Counter]]) -> Hold | Exception:
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
