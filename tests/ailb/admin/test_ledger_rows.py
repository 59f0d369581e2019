import csv
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest

from ailb.admin.ledger_rows import BATCH, COLUMNS, as_csv, as_json
from ailb.store.schema import ENTRIES

ROW: dict[str, Any] = {
    **{column.name: 0 for column in ENTRIES.columns},
    **dict.fromkeys(("user_id", "key_id", "provider", "model", "asked", "request_id", "hold_id"), "x"),
    "kind": "correction",
    "status": "complete",
    "at": 1_768_473_000_000_000,
    "nanos": -300_000_000,
    "estimated": True,
    "rates": '{"input":1}',
    "error": None,
    "session_id": None,
    "corrected_at": 1_768_473_001_000_000,
    "reason": "=a wrong price",
}


async def some(*rows: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
    for row in rows:
        yield row


async def read(*rows: Mapping[str, Any]) -> list[dict[str, str]]:
    text = "".join([part async for part in as_csv(some(*rows))])
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_column_of_the_table_is_there() -> None:
    assert {column.name for column in ENTRIES.columns} - {"nanos"} == set(COLUMNS) - {"cost"}


def test_a_row_as_json() -> None:
    row = orjson.loads(orjson.dumps(as_json(ROW)))
    assert ("2026-01-15T10:30:00Z", -0.3, {"input": 1}) == (row["at"], row["cost"], row["rates"])
    assert ("2026-01-15T10:30:01Z", "=a wrong price") == (row["corrected_at"], row["reason"])
    assert list(COLUMNS) == list(row)
    assert as_json({**ROW, "corrected_at": None})["corrected_at"] is None
    assert as_json({**ROW, "rates": None})["rates"] is None


async def test_a_row_as_csv_has_exact_amounts() -> None:
    (row,) = await read(ROW)
    assert ("2026-01-15T10:30:00Z", "-0.3", "true", "") == (row["at"], row["cost"], row["estimated"], row["session_id"])
    assert ("2026-01-15T10:30:01Z", "'=a wrong price") == (row["corrected_at"], row["reason"])
    (row,) = await read({**ROW, "corrected_at": None, "reason": None})
    assert ("", "") == (row["corrected_at"], row["reason"])


@pytest.mark.parametrize("name", ['=cmd|" /C calc"!A0', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
async def test_a_name_is_no_formula(name: str) -> None:
    (row,) = await read({**ROW, "model": name, "user_id": f"a{name}"})
    assert (f"'{name}", f"a{name}") == (row["model"], row["user_id"])


async def test_commas_quotes_and_lines_survive() -> None:
    (row,) = await read({**ROW, "error": 'a,"b"\r\nc'})
    assert 'a,"b"\r\nc' == row["error"]


@pytest.mark.parametrize("number", [0, 1, BATCH, BATCH + 1])
async def test_any_number_of_rows(number: int) -> None:
    assert number == len(await read(*[ROW] * number))
