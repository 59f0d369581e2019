"""What is known of one request and how it was decided, as JSON; and the last of them, kept in memory.

    kept = recorded(exchange, outcome, at=1_700_000_000.0)
    records.put("ann", exchange.id, kept, keep=1000)
    records.find(exchange.id, "ann")                     # JSON, or None

A record is bytes from the beginning: they are made in a few microseconds, take a tenth of the memory of what they say, have a size that can
be bounded, and hold on to nothing of the request. Only what a layer would rather make later is made when somebody asks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from ailb.errors import Refusal
from ailb.exchange import Attempt, Exchange, Outcome
from ailb.money import number
from ailb.strict import dumps

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of all records together. A thousand usual ones take two megabytes."""

MOST_WORD: Final = 64
LATER_BYTES: Final = 2000
"""What each part that is made later is counted as."""


@dataclass(frozen=True, slots=True)
class Record:
    """The members that are made, as the JSON of an object that is not empty, and those that are made when somebody asks."""

    made: bytes
    later: Mapping[str, Callable[[], Any]]

    @property
    def size(self) -> int:
        """In bytes, about."""
        return len(self.made) + LATER_BYTES * len(self.later)

    def json(self) -> bytes:
        if not self.later:
            return self.made
        return b"%s,%s" % (self.made[:-1], dumps({name: make() for name, make in self.later.items()})[1:])


class Records:
    """The last ones that were put in. One service for all snapshots of a process, so that a reload forgets nothing."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: dict[tuple[str, str], Record] = {}
        self._bytes = 0

    def put(self, user: str, id: str, record: Record, *, keep: int) -> None:
        """In the place of one of the same user and id: clients may choose ids. At most `keep` stay, the newest."""
        name = (user, id)
        if name in self._kept:
            self._bytes -= self._kept.pop(name).size
        self._bytes += record.size
        self._kept[name] = record
        while len(self._kept) > keep or self._bytes > self._most_bytes:
            self._bytes -= self._kept.pop(next(iter(self._kept))).size

    def find(self, id: str, user: str | None = None) -> bytes | None:
        """As JSON. None where there is none, or it is somebody else's. Without a user: anybody's, the newest."""
        if user is not None:
            found = self._kept.get((user, id))
        else:
            found = next((record for (_, other), record in reversed(self._kept.items()) if other == id), None)
        return None if found is None else found.json()


def recorded(exchange: Exchange, outcome: Outcome | None, *, at: float, **more: Any) -> Record:
    """`at` is the Unix time at which it began. Without an outcome: of what was only explained. Times are milliseconds since `at`, money
    is dollars. Nothing that an upstream or the client wrote is in it, but names: of the user, the session, the model, the error's code.
    """
    prompt, caller, target = exchange.prompt, exchange.caller, exchange.target
    said = exchange.record
    later = {name: value for name, value in said.items() if callable(value)}
    cost: dict[str, Any] = {"cost": None}
    if exchange.cost is not None:
        priced = partial(_cost, *_lines(exchange, exchange.cost), said.get("holds", ()))
        if "holds" in later:  # which have the rates
            later["cost"], cost = priced, {}
        else:
            cost = {"cost": priced()}
    made = dumps(
        {
            "id": exchange.id,
            "at": datetime.fromtimestamp(at, UTC),
            "caller": {"user": caller.user, "key_id": caller.key_id},
            "path": exchange.path,
            "asked": prompt.model,
            "stream": prompt.stream,
            "session_id": prompt.session_id,
            "target": str(target) if target is not None else None,
            **_ended(outcome),
            **(said if not later else {name: value for name, value in said.items() if name not in later}),
            "attempts": [_attempt(attempt) for attempt in exchange.attempts],
            **cost,
            "notes": exchange.notes,
            **more,
        }
    )
    return Record(made, later)


def word(refusal: Refusal | None) -> str | None:
    """What went wrong, in a word. Never a message: an upstream's may quote the prompt."""
    if refusal is None:
        return None
    return str(refusal.code if isinstance(refusal.code, str) else refusal.type)[:MOST_WORD]


def _ended(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {"outcome": None, "status": None, "error": None, "latency_ms": None, "first_event_ms": None, "usage": None}
    return {
        "outcome": outcome.status,
        "status": outcome.http_status,
        "error": word(outcome.refusal),
        "latency_ms": _ms(outcome.seconds),
        "first_event_ms": _ms(outcome.first_event),
        "usage": outcome.usage,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "provider": attempt.target.provider,
        "model": attempt.target.model,
        "started_ms": _ms(attempt.started),
        "first_event_ms": _ms(attempt.first_event),
        "ended_ms": _ms(attempt.ended),
        "status": attempt.status,
        "error": "abandoned" if attempt.abandoned else word(attempt.failure),
    }


def _lines(exchange: Exchange, nanos: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What it cost in all, and each attempt: all but the rates."""
    lines = [
        {"attempt": attempt.number, "provider": attempt.target.provider, "model": attempt.target.model, "usd": number(attempt.cost)}
        for attempt in exchange.attempts
        if attempt.cost is not None
    ]
    return {"usd": number(nanos), "estimated": "cost_estimated" in exchange.notes}, lines


def _cost(whole: dict[str, Any], lines: list[dict[str, Any]], holds: Any) -> dict[str, Any]:
    rates = {hold["attempt"]: hold["rates"] for hold in (holds() if callable(holds) else holds)}
    return {**whole, "lines": [{**line, "rates": rates.get(line["attempt"])} for line in lines]}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
