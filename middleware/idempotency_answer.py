"""An answer as bytes, to be given again: a line of JSON about it, and behind it what its events said, byte for byte.

Kept are status, headers, and each event's bytes, dialect, usage and whether it was hidden. What an inner layer added to the
exchange's own reply headers is not: it was about the first time.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson

from ailb.dialect import Event
from ailb.exchange import Reply, batches_of
from ailb.usage import Usage


class Recording:
    """Sees the events of `reply` as they pass, up to `most` bytes."""

    def __init__(self, reply: Reply, most: int) -> None:
        self._about: dict[str, Any] = {"status": reply.status, "headers": dict(reply.headers), "events": []}
        self._raws: list[bytes] = []
        self._left = most
        reply.each(self._see)

    def dump(self) -> bytes | None:
        """None where it was too large."""
        if self._left < 0:
            return None
        return orjson.dumps(self._about) + b"\n" + b"".join(self._raws)

    def _see(self, event: Event) -> Event:
        self._left -= len(event.raw)
        if self._left >= 0:
            usage = asdict(event.usage) if event.usage else None
            self._about["events"].append([len(event.raw), event.dialect, event.hidden, usage])
            self._raws.append(event.raw)
        else:
            self._raws.clear()
            self._about["events"].clear()
        return event


def replay(stored: bytes) -> Reply:
    """The answer that a Recording dumped, once more."""
    line, _, raws = stored.partition(b"\n")
    about = orjson.loads(line)
    return Reply(batches_of(_events(about["events"], raws)), status=about["status"], headers=about["headers"])


def _events(parts: list[list[Any]], raws: bytes) -> Iterator[Event]:
    at = 0
    for length, dialect, hidden, usage in parts:
        yield _kind(dialect)(raws[at : at + length], Usage(**usage) if usage else None, hidden=hidden)
        at += length


def _kind(dialect: str) -> type[Event]:
    """The class of a dialect's events. Where no provider speaks it any more, one that has its bytes and its JSON."""
    if dialect == Event.dialect:
        return Event
    known = (kind for kind in Event.__subclasses__() if kind.dialect == dialect)
    return next(known, None) or type("StoredEvent", (Event,), {"__slots__": (), "dialect": dialect})
