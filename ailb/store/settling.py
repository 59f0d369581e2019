"""Charges in the place of holds: the ledger's entries, the sums of what was spent, and the counters, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import bindparam, delete, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.ledger import VAIN, Charge
from ailb.store.counters import Counter, Paying, Place
from ailb.store.many import Listed, Many
from ailb.store.schema import ENTRIES, HOLDS
from ailb.store.scopes import MOST_NANOS, Spender, clean
from ailb.store.windows import day
from ailb.usage import Usage

Settlement = tuple[str, Charge | None]
"""A hold's id and what it came to; None: nothing was asked, so nothing is written down."""

_SAME: Final = ("request_id", "attempt", *Spender._fields, "session_id", "rates", "at")
_HELD: Final = ("id", "nanos", "tokens", "windows")
_TAKE: Final = Listed(
    delete(HOLDS).where(HOLDS.c.id.in_(bindparam("ids", expanding=True))).returning(*(HOLDS.c[name] for name in (*_SAME, *_HELD))), "ids"
)
_COUNTS: Final = ("input", "output", "cached", "cache_written", "cache_written_1h", "reasoning", "audio_input", "audio_output")
_ENDED: Final = ("hold_id", "kind", "status", "http_status", "error", "nanos", "estimated", "latency_ms", "first_event_ms")
_ENTRY: Final = Many(insert(ENTRIES), (*_SAME, *_COUNTS, *_ENDED))
_SUMS: Final = ("day", *Spender._fields, "nanos", "tokens", "requests")
_SPEND: Final = Many(
    text(
        "INSERT INTO spend (day, user_id, key_id, provider, model, asked, nanos, tokens, requests) "
        "VALUES (:day, :user_id, :key_id, :provider, :model, :asked, :nanos, :tokens, :requests) "
        "ON CONFLICT (day, user_id, key_id, provider, model, asked) DO UPDATE SET nanos = spend.nanos + excluded.nanos, "
        "tokens = spend.tokens + excluded.tokens, requests = spend.requests + excluded.requests"
    ),
    _SUMS,
)
_counts: Final = attrgetter(*_COUNTS)


class Settled(NamedTuple):
    """A hold that is not there any more, and what it came to. `same` is what the entry has of the hold."""

    same: Sequence[Any]
    spender: Spender
    at: int
    id: str
    nanos: int
    tokens: int
    windows: str
    charge: Charge | None

    def held(self, paying: Paying) -> Iterable[Place]:
        """Where it was held; `paying` is what pays for it now, which is the same unless budgets came or went meanwhile."""
        return paying.budgets if self.windows == paying.windows else [(budget, start) for budget, start in orjson.loads(self.windows)]


async def take(connection: AsyncConnection, settlements: Sequence[Settlement]) -> list[Settled]:
    """Deletes the holds. One that is not there any more was settled before."""
    charges = dict(reversed(settlements))  # of several for one hold the first counts
    settled = []
    for row in await _TAKE.execute(connection, list(charges)):
        same, (id, nanos, tokens, windows) = row[: len(_SAME)], row[len(_SAME) :]
        settled.append(Settled(same, Spender(*same[2:7]), same[-1], id, nanos, tokens, windows, charges[id]))
    return settled


async def write_down(connection: AsyncConnection, settled: Sequence[Settled]) -> None:
    """The ledger's entries, and the sums by day."""
    charged = [(one, one.charge) for one in settled if one.charge is not None]
    await _ENTRY.execute(connection, [_entry(one, charge) for one, charge in charged])
    await _SPEND.execute(connection, _spend(charged))


def give_back(settled: Settled, paying: Paying, found: Mapping[Place, Counter]) -> None:
    """Gives back what was held, and spends what it came to in the windows in which the hold was made."""
    for place in settled.held(paying):
        if (counter := found.get(place)) is not None:  # else the budget was removed
            counter.hold(-settled.nanos, -settled.tokens)
    charge = settled.charge
    if charge is None:
        return
    for place in paying.budgets:
        if (counter := found.get(place)) is not None:  # else it begins with the sum of what was spent
            counter.spend(_nanos(charge), charge.usage.total)


def worst(row: Mapping[str, Any]) -> Charge:
    """For a hold that nobody will settle any more: what it may have come to."""
    usage = Usage(row["prompt_tokens"], row["tokens"] - row["prompt_tokens"])
    return Charge("broken", usage, row["nanos"], estimated=True, error="process died")


def _entry(settled: Settled, charge: Charge) -> tuple[Any, ...]:
    error = None if charge.error is None else clean(charge.error, 1000)
    ended = (settled.id, "attempt", charge.status, charge.http_status, error, _nanos(charge), charge.estimated)
    return (*settled.same, *_counts(charge.usage), *ended, charge.latency_ms, charge.first_event_ms)


def _spend(charged: Sequence[tuple[Settled, Charge]]) -> list[tuple[Any, ...]]:
    """Added up. A request is counted where it ends: with the attempt that was not in vain."""
    sums: dict[tuple[int, Spender], list[int]] = {}
    for settled, charge in charged:
        sum = sums.setdefault((day(settled.at), settled.spender), [0, 0, 0])
        sum[0] += _nanos(charge)
        sum[1] += charge.usage.total
        sum[2] += charge.status not in VAIN
    return [(at, *spender, *sums[at, spender]) for at, spender in sorted(sums)]


def _nanos(charge: Charge) -> int:
    return min(charge.nanos, MOST_NANOS)
