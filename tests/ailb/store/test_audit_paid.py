import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.store.audit import Amount
from ailb.store.audit_paid import Paid, paid
from ailb.store.database import Database
from ailb.store.schema import PROCESSES
from ailb.store.windows import DAY
from tests.ailb.store.ledgers import write


@pytest.fixture
async def ledger(database: Database) -> Database:
    bob = {"user_id": "bob", "provider": "anthropic"}
    await write(database, {"at": DAY}, {"at": 3 * DAY, "key_id": "other"}, {"at": 2 * DAY, **bob, "status": "failed", "nanos": 7})
    return database


async def start(database: Database, *times: int) -> None:
    async def work(connection: AsyncConnection) -> None:
        for number, at in enumerate(times):
            await connection.execute(insert(PROCESSES).values(id=str(number), started_at=at, seen_at=at))

    await database.write(work)


async def test_what_was_ever_spent_by_everybody_and_by_each_user(ledger: Database) -> None:
    openai, anthropic = {"openai": Amount(200, 30, 2)}, {"anthropic": Amount(7, 15, 0)}
    assert Paid({"": {**openai, **anthropic}}, None) == await paid(ledger, by_user=False)
    assert Paid({"ann": openai, "bob": anthropic}, None) == await paid(ledger, by_user=True)


async def test_where_nothing_was_spent(database: Database) -> None:
    assert Paid({"": {}}, None) == await paid(database, by_user=False)
    assert Paid({}, None) == await paid(database, by_user=True)


@pytest.mark.parametrize(
    ("times", "running"),
    [((0,), {"openai": 200, "anthropic": 7}), ((2 * DAY,), {"openai": 100, "anthropic": 7}), ((4 * DAY,), {}), ((0, 0), None)],
)
async def test_what_was_spent_since_the_only_gateway_started(
    ledger: Database, times: tuple[int, ...], running: dict[str, int] | None
) -> None:
    await start(ledger, *times)
    assert running == (await paid(ledger, by_user=False)).running
