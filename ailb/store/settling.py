"""Charges in the place of holds: the ledger's entries, the sums of what was spent, and the counters, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from ailb.usage import Usage

Settlement = tuple[str, Charge | None]
"""A hold's id and what it came to; None: nothing was asked, so nothing is written down."""

_HOLD: Final = (*Spender._fields, "at", "request_id", "attempt", "session_id", "rates", "id", "nanos", "tokens", "windows")
_ID: Final = _HOLD.index("id")
_AT: Final = _HOLD.index("at")
_SPENDER, _SAME, _HELD = slice(len(Spender._fields)), slice(_ID + 1), slice(_ID + 1, None)
_TAKE: Final = Listed(
    delete(HOLDS).where(HOLDS.c.id.in_(bindparam("ids", expanding=True))).returning(*(HOLDS.c[name] for name in _HOLD)), "ids"
)
_COUNTS: Final = ("input", "output", "cached", "cache_written", "cache_written_1h", "reasoning", "audio_input", "audio_output")
_ENDED: Final = ("kind", "status", "http_status", "error", "nanos", "estimated", "latency_ms", "first_event_ms")
_ENTRY: Final = Many(insert(ENTRIES), (*_HOLD[:_ID], "hold_id", *_ENDED, *_COUNTS))
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

    spender: Spender
    at: int
    same: Sequence[Any]
    charge: Charge | None
    nanos: int
    tokens: int
    windows: str

    def held(self, paying: Paying) -> Iterable[Place]:
        """Where it was held; `paying` is what pays for it now, which is the same unless budgets came or went meanwhile."""
        return paying.budgets if self.windows == paying.windows else [(budget, start) for budget, start in orjson.loads(self.windows)]


@dataclass(slots=True)
class _Spent:
    """What somebody's charges of a day come to. A request is counted where it ends: with the attempt that was not in vain."""

    nanos: int = 0
    tokens: int = 0
    requests: int = 0


async def take(connection: AsyncConnection, settlements: Sequence[Settlement]) -> list[Settled]:
    """Deletes the holds. One that is not there any more was settled before."""
    charges = dict(reversed(settlements))  # of several for one hold the first counts
    rows = await _TAKE.execute(connection, list(charges))
    return [Settled(Spender(*row[_SPENDER]), row[_AT], row[_SAME], charges[row[_ID]], *row[_HELD]) for row in rows]


async def close(connection: AsyncConnection, settled: Iterable[tuple[Settled, Paying]], found: Mapping[Place, Counter]) -> None:
    """Gives back what was held, spends what it came to in the windows in which the hold was made, and writes it down."""
    entries = []
    spent: dict[Paying, _Spent] = {}
    for one, paying in settled:
        for place in one.held(paying):
            if (counter := found.get(place)) is not None:  # else the budget was removed
                counter.hold(-one.nanos, -one.tokens)
        if (charge := one.charge) is not None:
            nanos = min(charge.nanos, MOST_NANOS)
            entries.append(_entry(one.same, charge, nanos))
            sum = spent.get(paying) or spent.setdefault(paying, _Spent())
            sum.nanos += nanos
            sum.tokens += charge.usage.total
            sum.requests += charge.status not in VAIN
    for paying, sum in spent.items():
        for place in paying.budgets:
            if (counter := found.get(place)) is not None:  # else it begins with the sum of what was spent
                counter.spend(sum.nanos, sum.tokens)
    await _ENTRY.execute(connection, entries)
    await _SPEND.execute(connection, [(paying.day, *paying.spender, sum.nanos, sum.tokens, sum.requests) for paying, sum in spent.items()])


def _entry(same: Sequence[Any], charge: Charge, nanos: int) -> tuple[Any, ...]:
    error = None if charge.error is None else clean(charge.error, 1000)
    ended = (charge.status, charge.http_status, error, nanos, charge.estimated, charge.latency_ms, charge.first_event_ms)
    return (*same, "attempt", *ended, *_counts(charge.usage))


def worst(row: Mapping[str, Any]) -> Charge:
    """For a hold that nobody will settle any more: what it may have come to."""
    usage = Usage(row["prompt_tokens"], row["tokens"] - row["prompt_tokens"])
    return Charge("broken", usage, row["nanos"], estimated=True, error="process died")
