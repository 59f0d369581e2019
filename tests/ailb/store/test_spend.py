from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.store.database import Database
from ailb.store.schema import ENTRIES
from ailb.store.spend import DAY, PAGE, Group, Span, Spend, Sum
from tests.ailb.store.ledgers import write

ALL = Span(0, 10 * DAY)
ROWS: tuple[Mapping[str, Any], ...] = (
    {},
    {"user_id": "bob", "key_id": "key-2", "nanos": 7, "session_id": "s"},
    {"provider": "anthropic", "model": "claude", "at": 2 * DAY + 5, "nanos": 1000},
    {"kind": "correction", "hold_id": "hold-0", "at": 2 * DAY, "nanos": -40, "input": 0, "output": 0},
    {"status": "failed", "nanos": 0, "input": 0, "output": 0},
)


@pytest.fixture
async def spend(database: Database) -> Spend:
    await write(database, *ROWS)
    return Spend(database)


async def forget_entries(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(delete(ENTRIES))

    await database.write(work)


@pytest.mark.parametrize("rolled", [True, False])
async def test_the_sums_of_the_rollup_are_those_of_the_ledger(spend: Spend, rolled: bool) -> None:
    span = ALL if rolled else Span(1, 10 * DAY)
    sums = await spend.sums(span, ["day", "key", "model", "provider"])
    assert {
        "day": {DAY: Sum(107, 30, 2), 2 * DAY: Sum(960, 15, 1)},
        "key": {"key-1": Sum(1060, 30, 2), "key-2": Sum(7, 15, 1)},
        "model": {"gpt-4": Sum(67, 30, 2), "claude": Sum(1000, 15, 1)},
        "provider": {"openai": Sum(67, 30, 2), "anthropic": Sum(1000, 15, 1)},
    } == sums


async def test_whole_days_outlive_their_rows(database: Database, spend: Spend) -> None:
    await forget_entries(database)
    assert {"provider": {"openai": Sum(67, 30, 2), "anthropic": Sum(1000, 15, 1)}} == await spend.sums(ALL, ["provider"])
    assert {"provider": {}} == await spend.sums(Span(1, 10 * DAY), ["provider"])


async def test_sessions_are_in_the_ledger_only(spend: Spend) -> None:
    assert {"session": {"": Sum(1060, 30, 2), "s": Sum(7, 15, 1)}} == await spend.sums(ALL, ["session"])


@pytest.mark.parametrize(
    ("wanted", "total"),
    [
        ({"user": "bob"}, 7),
        ({"key_id": "key-1"}, 1060),
        ({"provider": "anthropic"}, 1000),
        ({"model": "gpt-4"}, 1067),
        ({"model": "claude"}, 1000),
        ({"user": "bob", "model": "claude"}, None),
        ({"user": "'; DROP TABLE spend; --"}, None),
    ],
)
@pytest.mark.parametrize("start", [0, 1])
async def test_only_what_was_asked_for(spend: Spend, start: int, wanted: dict[str, str], total: int | None) -> None:
    sums = await spend.sums(Span(start, 10 * DAY, **wanted), ["day"])
    assert total == (sum(each.nanos for each in sums["day"].values()) if sums["day"] else None)


@pytest.mark.parametrize(
    ("start", "end", "total"), [(DAY, 2 * DAY, 107), (2 * DAY, 3 * DAY, 960), (2 * DAY, 2 * DAY + 5, -40), (0, DAY, 0)]
)
async def test_the_end_is_not_in_the_range(spend: Spend, start: int, end: int, total: int) -> None:
    sums = await spend.sums(Span(start, end), ["key"])
    assert total == sum(each.nanos for each in sums["key"].values())


@pytest.mark.parametrize("group", ["day", "key", "model", "provider", "session"])
async def test_nothing_is_no_group(database: Database, group: Group) -> None:
    assert {group: {}} == await Spend(database).sums(ALL, [group])


async def test_sums_beyond_a_billion_dollars_are_exact(database: Database) -> None:
    most = 10**18
    await write(database, *({"nanos": most - number} for number in range(3)))
    sums = await Spend(database).sums(ALL, ["provider"])
    assert 3 * most - 3 == sums["provider"]["openai"].nanos


async def test_rows_come_newest_first_a_page_at_a_time(spend: Spend) -> None:
    rows = await spend.rows(ALL, limit=2)
    assert ["failed", "complete"] == [row["status"] for row in rows]
    rest = await spend.rows(ALL, before=rows[-1]["id"], limit=10)
    assert ["ann", "bob", "ann"] == [row["user_id"] for row in rest]
    assert [] == await spend.rows(ALL, before=rest[-1]["id"], limit=10)


async def test_rows_as_a_stream(spend: Spend) -> None:
    assert [0, 100] == [row["nanos"] async for row in spend.stream(Span(0, 2 * DAY, user="ann"))]
    assert 1 == len([row async for row in spend.stream(ALL, before=3, limit=1)])


@pytest.mark.parametrize(("rows", "limit"), [(PAGE, None), (PAGE + 1, None), (PAGE + 5, PAGE + 2), (3, PAGE + 2)])
async def test_a_stream_is_longer_than_a_page(database: Database, rows: int, limit: int | None) -> None:
    await write(database, *({} for _ in range(rows)))
    ids = [row["id"] async for row in Spend(database).stream(ALL, limit=limit)]
    assert list(range(rows, max(0, rows - (limit or rows)), -1)) == ids
