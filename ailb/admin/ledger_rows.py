"""The ledger's rows for people and their spreadsheets: as JSON and as CSV, with the same names in the same order."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import orjson

from ailb import money
from ailb.admin import when

COLUMNS: Final = (
    "id",
    "at",
    "kind",
    "status",
    "user_id",
    "key_id",
    "provider",
    "model",
    "asked",
    "cost",
    "estimated",
    "input",
    "output",
    "cached",
    "cache_written",
    "cache_written_1h",
    "reasoning",
    "audio_input",
    "audio_output",
    "request_id",
    "attempt",
    "hold_id",
    "session_id",
    "http_status",
    "error",
    "latency_ms",
    "first_event_ms",
    "rates",
    "corrects",
    "corrected_at",
    "reason",
)
"""The table's, with `nanos` as `cost` in dollars. `asked` is the model as the client named it."""

BATCH: Final = 500
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""With what a spreadsheet takes a cell for a formula, and runs it."""


def as_json(row: Mapping[Any, Any]) -> dict[str, Any]:
    rates = orjson.Fragment(row["rates"]) if row["rates"] else None
    own = {"at": when.text(row["at"]), "cost": money.number(row["nanos"]), "rates": rates, "corrected_at": _corrected(row)}
    return {name: row.get(name) for name in COLUMNS} | own


async def as_csv(rows: AsyncIterator[Mapping[Any, Any]]) -> AsyncIterator[str]:
    """The header, then the rows, several at a time (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    number = 0
    async for row in rows:
        writer.writerow(_cells(row))
        number += 1
        if number % BATCH == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cells(row: Mapping[Any, Any]) -> list[Any]:
    """What clients and providers have written is text to a spreadsheet, whatever it begins with; amounts are ours and may be negative."""
    own = {"at": when.text(row["at"]), "cost": money.text(row["nanos"]), "estimated": "true" if row["estimated"] else "false"}
    own["corrected_at"] = _corrected(row) or ""
    return [own[name] if name in own else _plain(row[name]) for name in COLUMNS]


def _corrected(row: Mapping[Any, Any]) -> str | None:
    return None if row["corrected_at"] is None else when.text(row["corrected_at"])


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
