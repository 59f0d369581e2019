import csv
import io
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.admin import when
from ailb.store.schema import ENTRIES
from ailb.store.writer import one_by_one
from tests.ailb.admin.desk import ADMIN, NOW, Desk
from tests.ailb.serving import Client
from tests.ailb.store.ledgers import write

TODAY = int(NOW) * 1_000_000
EARLIER = when.moment("2024-01-31T23:59:59Z", "")
SPEND = "/api/billing/spend"
USAGE = "/api/billing/usage"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Desk(tmp_path, keyed=True) as desk:
        yield desk


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Desk(tmp_path) as desk:
        yield desk


class Ann:
    """A user with two keys, and bob with one; each has spent something."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.secret = self.key = self.other = self.bobs = ""

    async def begin(self) -> "Ann":
        self.secret, record = await self.desk.keys.create("ann", {"name": "first"})
        self.key = record.id
        self.other = (await self.desk.keys.create("ann", {"name": "second"}))[1].id
        self.bobs = (await self.desk.keys.create("bob", {"name": "bob's"}))[1].id
        await write(
            self.desk.database,
            {"at": TODAY, "key_id": self.key, "nanos": 100_000_000, "session_id": "s"},
            {"at": TODAY, "key_id": self.other, "nanos": 200_000_000, "provider": "anthropic", "model": "claude"},
            {"at": TODAY, "key_id": self.bobs, "user_id": "bob", "nanos": 1_000_000_000},
            {"at": EARLIER, "key_id": self.key, "nanos": 5},
        )
        return self

    async def get(self, target: str, **headers: str) -> Client:
        named = {"authorization": f"Bearer {self.secret}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self.desk.call("GET", target, headers=named)


@pytest.fixture
async def ann(desk: Desk) -> Ann:
    return await Ann(desk).begin()


def admin(**more: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {ADMIN}", **{name.replace("_", "-"): value for name, value in more.items()}}


@pytest.mark.parametrize("target", [SPEND, USAGE, "/api/billing/budget/{key}"])
async def test_who_asks_right_after_an_answer_sees_its_charge(ann: Ann, target: str) -> None:
    async def charge(connection: AsyncConnection) -> None:
        await connection.execute(update(ENTRIES).values(nanos=7))

    charged = ann.desk.database.writer.put(one_by_one, charge, keep=True)
    answer = await ann.desk.call("GET", target.format(key=ann.key), headers=admin())
    assert 200 == answer.status
    assert charged.done()


async def test_a_months_spend_to_the_nano_dollar(ann: Ann) -> None:
    answer = await ann.desk.call("GET", f"{SPEND}?period=monthly", headers=admin(x_user_id="ann"))
    assert 200 == answer.status
    assert b'"total_spend":0.3,' in answer.body
    assert {
        "period": "monthly",
        "start_date": "2026-01-01T00:00:00Z",
        "end_date": "2026-02-01T00:00:00Z",
        "total_spend": 0.3,
        "total_tokens": 30,
        "total_requests": 2,
        "providers": {
            "anthropic": {"spend": 0.2, "tokens": 15, "requests": 1},
            "openai": {"spend": 0.1, "tokens": 15, "requests": 1},
        },
        "by_model": {"claude": {"spend": 0.2, "tokens": 15, "requests": 1}, "gpt-4": {"spend": 0.1, "tokens": 15, "requests": 1}},
        "by_key": {ann.other: {"spend": 0.2, "tokens": 15, "requests": 1}, ann.key: {"spend": 0.1, "tokens": 15, "requests": 1}},
    } == answer.json


@pytest.mark.parametrize(
    ("query", "period", "total"),
    [
        ("", "monthly", 0.3),
        ("?provider=openai", "monthly", 0.1),
        ("?start_date=2024-01-01&end_date=2024-01-31", "custom", 5e-9),
        ("?start_date=2024-01-01&end_date=2024-01-31&period=monthly", "custom", 5e-9),
        ("?start_date=2024-01-01", "custom", 0.300000005),
        ("?start_date=2024-01-01&end_date=2024-01-31T23:59:59Z", "custom", 0),
        ("?period=daily&key_id=&provider=&model=claude", "daily", 0.2),
    ],
)
async def test_ranges_and_filters(ann: Ann, query: str, period: str, total: float) -> None:
    answer = await ann.get(SPEND + query, x_user_id="ann")
    assert (200, period, total) == (answer.status, answer.json["period"], answer.json["total_spend"])


@pytest.mark.parametrize(
    ("query", "x_user_id", "total"),
    [("", "", 0.1), ("", "bob", 0.1), ("", "ann", 0.3), ("?user_id=ann", "", 0.3), ("?key_id=OTHER", "", 0.2)],
)
async def test_a_key_sees_its_own_and_its_users_spend(ann: Ann, query: str, x_user_id: str, total: float) -> None:
    answer = await ann.get(SPEND + query.replace("OTHER", ann.other), **({"x_user_id": x_user_id} if x_user_id else {}))
    assert (200, total) == (answer.status, answer.json["total_spend"])


@pytest.mark.parametrize(
    ("query", "status"), [("?key_id=BOBS", 404), ("?key_id=key-none", 404), ("?user_id=bob", 403), ("?key_id=BOBS&user_id=bob", 403)]
)
@pytest.mark.parametrize("path", [SPEND, USAGE])
async def test_nobody_sees_anothers(ann: Ann, path: str, query: str, status: int) -> None:
    answer = await ann.get(path + query.replace("BOBS", ann.bobs))
    assert (status, status) == (answer.status, answer.json["status_code"])


async def test_the_admin_sees_everybodys(ann: Ann) -> None:
    totals = [
        (await ann.desk.call("GET", SPEND + query, headers=admin())).json["total_spend"]
        for query in ("", "?user_id=bob", f"?key_id={ann.bobs}", "?user_id=nobody")
    ]
    assert [1.3, 1, 1, 0] == totals


@pytest.mark.parametrize(
    ("group", "series"),
    [
        ("day", [{"day": "2026-01-15", "spend": 0.3}]),
        ("provider", [{"provider": "anthropic", "spend": 0.2}, {"provider": "openai", "spend": 0.1}]),
        ("model", [{"model": "claude", "spend": 0.2}, {"model": "gpt-4", "spend": 0.1}]),
        ("session", [{"session": None, "spend": 0.2}, {"session": "s", "spend": 0.1}]),
    ],
)
async def test_series(ann: Ann, group: str, series: list[dict[str, Any]]) -> None:
    answer = await ann.get(f"{SPEND}?group_by={group}", x_user_id="ann")
    assert [{**one, "tokens": 15 if group != "day" else 30, "requests": 1 if group != "day" else 2} for one in series] == answer.json[
        "series"
    ]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("period=yearly", "period"),
        ("period=custom", "start_date"),
        ("start_date=soon", "start_date"),
        ("end_date=2026-02-30", "end_date"),
        ("end_date=9999-12-31", "end_date"),
        ("start_date=2026-02-01&end_date=2026-01-01", "start_date"),
        ("group_by=colour", "group_by"),
        ("colour=red", "colour"),
        ("model=a&model=b", "model"),
        ("user_id=a,b", None),
    ],
)
async def test_what_makes_no_sense_is_a_400_with_its_field(ann: Ann, query: str, field: str | None) -> None:
    answer = await ann.desk.call("GET", f"{SPEND}?{query}", headers=admin())
    if field is None:
        assert answer.status in (200, 400)
        return
    assert (400, field) == (answer.status, answer.json["error"]["param"])
    assert field in answer.json["detail"]


async def test_in_local_mode_the_header_names_the_user(local: Desk) -> None:
    ann = await Ann(local).begin()
    mine, nobodys = [await local.call("GET", SPEND, headers=headers) for headers in ({"x-user-id": "ann"}, {})]
    assert (0.3, 0) == (mine.json["total_spend"], nobodys.json["total_spend"])
    assert 0.1 == (await ann.get(SPEND)).json["total_spend"]


async def test_without_a_key_nobody_is_told_anything(ann: Ann) -> None:
    for headers in ({}, {"x-user-id": "ann"}, {"authorization": "Bearer sk-ailb_wrong"}):
        for path in (SPEND, USAGE, f"/api/billing/budget/{ann.key}"):
            assert 401 == (await ann.desk.call("GET", path, headers=headers)).status


async def test_the_ledger_a_page_at_a_time(ann: Ann) -> None:
    seen, cursor = [], ""
    for _ in range(3):
        page = (await ann.desk.call("GET", f"{USAGE}?limit=2&cursor={cursor}", headers=admin())).json
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [4, 3, 2, 1] == seen
    assert cursor is None


async def test_a_row_says_all_that_is_known(ann: Ann) -> None:
    (row,) = (await ann.get(f"{USAGE}?period=daily")).json["data"]
    assert ("2026-01-15T10:30:00Z", 0.1, "ann", ann.key, "s") == tuple(
        row[name] for name in ("at", "cost", "user_id", "key_id", "session_id")
    )


@pytest.mark.parametrize(("query", "field"), [("limit=0", "limit"), ("limit=1001", "limit"), ("cursor=x", "cursor"), ("page=2", "page")])
async def test_a_page_that_there_is_not(ann: Ann, query: str, field: str) -> None:
    answer = await ann.get(f"{USAGE}?{query}")
    assert (400, field) == (answer.status, answer.json["error"]["param"])


@pytest.mark.parametrize(("query", "rows"), [("", 3), ("?limit=1", 1), ("?provider=anthropic", 1), ("?model=nothing", 0)])
async def test_the_ledger_as_csv(ann: Ann, query: str, rows: int) -> None:
    answer = await ann.get(USAGE + query, x_user_id="ann", accept="text/csv;q=0.9, */*;q=0.1")
    assert (200, "text/csv; charset=utf-8") == (answer.status, answer.headers["content-type"])
    found = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert rows == len(found)
    assert all(row["user_id"] == "ann" for row in found)


@pytest.mark.parametrize("accept", ["application/json, text/csv;q=0", "text/csv; q=0.00 , */*", "text/csvx", "*/*"])
async def test_who_does_not_want_csv_gets_json(ann: Ann, accept: str) -> None:
    assert "application/json" == (await ann.get(USAGE, x_user_id="ann", accept=accept)).headers["content-type"]


async def test_a_store_that_is_not_there_is_a_503_in_csv_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.gateway.start()
    for target, accept in ((SPEND, "*/*"), (USAGE, "*/*"), (USAGE, "text/csv")):
        assert 503 == (await desk.call("GET", target, headers={"accept": accept})).status
    await desk.gateway.stop()
