"""A ledger made by hand: rows as a gateway would have written them, the roll-up with them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.ledger import VAIN
from ailb.store.database import Database
from ailb.store.schema import ENTRIES, SPEND
from ailb.store.spend import DAY

ENTRY: Mapping[str, Any] = {
    "kind": "attempt",
    "at": DAY,
    "request_id": "req_1",
    "attempt": 1,
    "user_id": "ann",
    "key_id": "key-1",
    "provider": "openai",
    "model": "gpt-4",
    "asked": "gpt-4",
    "session_id": None,
    "status": "complete",
    "input": 10,
    "output": 5,
    "nanos": 100,
    "estimated": False,
}


async def write(database: Database, *entries: Mapping[str, Any]) -> None:
    """Adds rows; what an entry does not say is ENTRY's."""
    rows = [{**ENTRY, "hold_id": f"hold-{number}", **entry} for number, entry in enumerate(entries)]

    async def work(connection: AsyncConnection) -> None:
        for row in rows:
            await connection.execute(insert(ENTRIES).values(**row))
        await connection.execute(delete(SPEND))
        for spend in _rolled_up(rows):
            await connection.execute(insert(SPEND).values(**spend))

    await database.write(work)


def _rolled_up(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    days: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        names = {name: row[name] for name in ("user_id", "key_id", "provider", "model", "asked")}
        key = {"day": row["at"] // DAY * DAY, **names}
        sums = days.setdefault(tuple(key.values()), {**key, "nanos": 0, "tokens": 0, "requests": 0})
        sums["nanos"] += row["nanos"]
        sums["tokens"] += row["input"] + row["output"]
        sums["requests"] += row["kind"] == "attempt" and row["status"] not in VAIN
    return list(days.values())
