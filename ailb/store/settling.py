"""Charges in the place of holds: the ledger's entries, the sums of what was spent, and the counters, in one transaction."""

from collections.abc import Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, delete, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.ledger import Charge
from ailb.store.counters import Counter, Counters, Place, applying
from ailb.store.many import Many
from ailb.store.schema import ENTRIES, HOLDS
from ailb.store.scopes import MOST_NANOS, clean, scopes
from ailb.store.windows import day
from ailb.usage import Usage

Settlement = tuple[str, Charge | None]
"""A hold's id and what it came to; None: nothing was asked, so nothing is written down."""

_TAKE: Final = delete(HOLDS).where(HOLDS.c.id.in_(bindparam("ids", expanding=True))).returning(HOLDS)
_HOLD: Final = tuple(HOLDS.c.keys())
_SAME: Final = ("request_id", "attempt", "user_id", "key_id", "provider", "model", "asked", "session_id", "rates", "at")
_COUNTS: Final = ("input", "output", "cached", "cache_written", "cache_written_1h", "reasoning", "audio_input", "audio_output")
_ENDED: Final = ("hold_id", "kind", "status", "http_status", "error", "nanos", "estimated", "latency_ms", "first_event_ms")
_ENTRY: Final = Many(insert(ENTRIES), (*_SAME, *_COUNTS, *_ENDED))
_SPENDER: Final = ("user_id", "key_id", "provider", "model", "asked")
_SPEND: Final = text(
    "INSERT INTO spend (day, user_id, key_id, provider, model, asked, nanos, tokens, requests) "
    "VALUES (:day, :user_id, :key_id, :provider, :model, :asked, :nanos, :tokens, :requests) "
    "ON CONFLICT (day, user_id, key_id, provider, model, asked) DO UPDATE SET nanos = spend.nanos + excluded.nanos, "
    "tokens = spend.tokens + excluded.tokens, requests = spend.requests + excluded.requests"
)
_same: Final = itemgetter(*_SAME)
_counts: Final = attrgetter(*_COUNTS)
_spender: Final = itemgetter(*_SPENDER)
_Row = Mapping[str, Any]


async def settle(connection: AsyncConnection, counters: Counters, settlements: Sequence[Settlement]) -> None:
    """What is spent is spent in the windows in which the hold was made. A hold that is not there any more was settled before."""
    charges = dict(reversed(settlements))  # of several for one hold the first counts
    taken = await connection.execute(_TAKE, {"ids": list(charges)})
    rows: list[_Row] = [dict(zip(_HOLD, row, strict=True)) for row in taken]
    if not rows:
        return
    charged = [(row, charge) for row in rows if (charge := charges[row["id"]]) is not None]
    await _count(connection, counters, rows, charges)
    if charged:
        await _ENTRY.execute(connection, [_entry(row, charge) for row, charge in charged])
        await connection.execute(_SPEND, _spend(charged))


def worst(row: _Row) -> Charge:
    """For a hold that nobody will settle any more: what it may have come to."""
    usage = Usage(row["prompt_tokens"], row["tokens"] - row["prompt_tokens"])
    return Charge("broken", usage, row["nanos"], estimated=True, error="process died")


async def _count(connection: AsyncConnection, counters: Counters, rows: Sequence[_Row], charges: Mapping[str, Charge | None]) -> None:
    budgets = await counters.budgets(connection, (scope for row in rows for scope in scopes(row)))
    held: dict[str, list[Place]] = {row["id"]: [(budget, start) for budget, start in orjson.loads(row["windows"])] for row in rows}
    spent = {
        row["id"]: [(budget.id, counters.windows.start(budget.period, row["at"])) for budget in applying(budgets, scopes(row))]
        for row in rows
    }
    places = {place for by_hold in (held, spent) for some in by_hold.values() for place in some}
    found = await counters.read(connection, places)
    for row in rows:
        for place in held[row["id"]]:
            if (counter := found.get(place)) is not None:  # else the budget was removed
                counter.hold(-row["nanos"], -row["tokens"])
        if (charge := charges[row["id"]]) is not None:
            _charge(found, spent[row["id"]], charge)
    await counters.save(connection, found)


def _charge(found: Mapping[Place, Counter], places: Sequence[Place], charge: Charge) -> None:
    for place in places:
        if (counter := found.get(place)) is not None:  # else it begins with the sum of what was spent
            counter.spend(_nanos(charge), charge.usage.total)


def _entry(row: _Row, charge: Charge) -> tuple[Any, ...]:
    error = None if charge.error is None else clean(charge.error, 1000)
    ended = (row["id"], "attempt", charge.status, charge.http_status, error, _nanos(charge), charge.estimated)
    return (*_same(row), *_counts(charge.usage), *ended, charge.latency_ms, charge.first_event_ms)


def _spend(charged: Sequence[tuple[_Row, Charge]]) -> list[dict[str, Any]]:
    """Added up. A request is counted where it ends: with the attempt that did not fail."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for row, charge in charged:
        sum = sums.setdefault((day(row["at"]), *_spender(row)), [0, 0, 0])
        sum[0] += _nanos(charge)
        sum[1] += charge.usage.total
        sum[2] += charge.status != "failed"
    names = ("day", *_SPENDER, "nanos", "tokens", "requests")
    return [dict(zip(names, (*key, *sums[key]), strict=True)) for key in sorted(sums)]


def _nanos(charge: Charge) -> int:
    return min(charge.nanos, MOST_NANOS)
