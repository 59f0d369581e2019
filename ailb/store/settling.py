"""Charges in the place of holds: the ledger's entries, the sums of what was spent, and the counters, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, delete, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.ledger import VAIN, Charge
from ailb.store.counters import Counter, Place, Scope
from ailb.store.many import Listed, Many
from ailb.store.schema import ENTRIES, HOLDS
from ailb.store.scopes import MOST_NANOS, clean, scopes
from ailb.store.windows import day
from ailb.usage import Usage

Settlement = tuple[str, Charge | None]
"""A hold's id and what it came to; None: nothing was asked, so nothing is written down."""

Row = Mapping[str, Any]
"""Of `holds`, by the names of its columns."""

_TAKE: Final = Listed(delete(HOLDS).where(HOLDS.c.id.in_(bindparam("ids", expanding=True))).returning(HOLDS), "ids")
_HOLD: Final = tuple(HOLDS.c.keys())
_SAME: Final = ("request_id", "attempt", "user_id", "key_id", "provider", "model", "asked", "session_id", "rates", "at")
_COUNTS: Final = ("input", "output", "cached", "cache_written", "cache_written_1h", "reasoning", "audio_input", "audio_output")
_ENDED: Final = ("hold_id", "kind", "status", "http_status", "error", "nanos", "estimated", "latency_ms", "first_event_ms")
_ENTRY: Final = Many(insert(ENTRIES), (*_SAME, *_COUNTS, *_ENDED))
_SPENDER: Final = ("user_id", "key_id", "provider", "model", "asked")
_SUMS: Final = ("day", *_SPENDER, "nanos", "tokens", "requests")
_SPEND: Final = Many(
    text(
        "INSERT INTO spend (day, user_id, key_id, provider, model, asked, nanos, tokens, requests) "
        "VALUES (:day, :user_id, :key_id, :provider, :model, :asked, :nanos, :tokens, :requests) "
        "ON CONFLICT (day, user_id, key_id, provider, model, asked) DO UPDATE SET nanos = spend.nanos + excluded.nanos, "
        "tokens = spend.tokens + excluded.tokens, requests = spend.requests + excluded.requests"
    ),
    _SUMS,
)
_same: Final = itemgetter(*_SAME)
_counts: Final = attrgetter(*_COUNTS)
_spender: Final = itemgetter(*_SPENDER)


@dataclass(frozen=True, slots=True)
class Settled:
    """A hold's row, which is not there any more, what it came to, and the scopes that pay for it."""

    row: Row
    charge: Charge | None
    scopes: tuple[Scope, ...]

    @property
    def held(self) -> list[Place]:
        return [(budget, start) for budget, start in orjson.loads(self.row["windows"])]


async def take(connection: AsyncConnection, settlements: Sequence[Settlement]) -> list[Settled]:
    """Deletes the holds. One that is not there any more was settled before."""
    charges = dict(reversed(settlements))  # of several for one hold the first counts
    rows: list[Row] = [dict(zip(_HOLD, row, strict=True)) for row in await _TAKE.execute(connection, list(charges))]
    return [Settled(row, charges[row["id"]], scopes(row)) for row in rows]


async def write_down(connection: AsyncConnection, settled: Sequence[Settled]) -> None:
    """The ledger's entries, and the sums by day."""
    charged = [(one.row, one.charge) for one in settled if one.charge is not None]
    await _ENTRY.execute(connection, [_entry(row, charge) for row, charge in charged])
    await _SPEND.execute(connection, _spend(charged))


def give_back(settled: Settled, held: Sequence[Place], spent: Iterable[Place], found: Mapping[Place, Counter]) -> None:
    """Gives back what was held, and spends what it came to in the windows in which the hold was made."""
    row, charge = settled.row, settled.charge
    for place in held:
        if (counter := found.get(place)) is not None:  # else the budget was removed
            counter.hold(-row["nanos"], -row["tokens"])
    if charge is None:
        return
    for place in spent:
        if (counter := found.get(place)) is not None:  # else it begins with the sum of what was spent
            counter.spend(_nanos(charge), charge.usage.total)


def worst(row: Row) -> Charge:
    """For a hold that nobody will settle any more: what it may have come to."""
    usage = Usage(row["prompt_tokens"], row["tokens"] - row["prompt_tokens"])
    return Charge("broken", usage, row["nanos"], estimated=True, error="process died")


def _entry(row: Row, charge: Charge) -> tuple[Any, ...]:
    error = None if charge.error is None else clean(charge.error, 1000)
    ended = (row["id"], "attempt", charge.status, charge.http_status, error, _nanos(charge), charge.estimated)
    return (*_same(row), *_counts(charge.usage), *ended, charge.latency_ms, charge.first_event_ms)


def _spend(charged: Sequence[tuple[Row, Charge]]) -> list[tuple[Any, ...]]:
    """Added up. A request is counted where it ends: with the attempt that was not in vain."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for row, charge in charged:
        sum = sums.setdefault((day(row["at"]), *_spender(row)), [0, 0, 0])
        sum[0] += _nanos(charge)
        sum[1] += charge.usage.total
        sum[2] += charge.status not in VAIN
    return [(*key, *sums[key]) for key in sorted(sums)]


def _nanos(charge: Charge) -> int:
    return min(charge.nanos, MOST_NANOS)
