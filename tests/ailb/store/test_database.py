import asyncio
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import Unavailable
from ailb.secret import Secret
from ailb.store.database import Database
from ailb.store.schema import REVISIONS
from ailb.store.writer import one_by_one
from tests.ailb.store.clocks import START, SetClock
from tests.ailb.store.made import patient


async def put(connection: AsyncConnection, name: str = "a", number: int = 1) -> str:
    await connection.execute(insert(REVISIONS).values(name=name, number=number))
    return name


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await database.read(select(REVISIONS.c.name).order_by(REVISIONS.c.name))]


async def test_what_was_written_is_read(database: Database) -> None:
    assert await database.write(put) == "a"
    assert await names(database) == ["a"]


async def test_what_fails_takes_back_its_own_and_nothing_else(database: Database) -> None:
    async def fail(connection: AsyncConnection) -> None:
        await put(connection, "bad")
        raise LookupError("no")

    results = await asyncio.gather(
        *(database.write(work) for work in (put, fail, put, partial(put, name="b"))),
        return_exceptions=True,
    )
    assert ["str", "LookupError", "IntegrityError", "str"] == [type(result).__name__ for result in results]
    assert await names(database) == ["a", "b"]


async def test_catching_up_is_after_what_was_in_no_hurry(database: Database) -> None:
    kept = database.writer.put(one_by_one, put, keep=True)
    assert database.writer.busy
    await database.catch_up()
    assert kept.done()
    assert not database.writer.busy
    assert await names(database) == ["a"]


async def test_catching_up_does_not_wait_for_what_cannot_be_written(database: Database) -> None:
    down = [OperationalError("", {}, Exception("gone"))]

    async def batch(connection: AsyncConnection, items: Sequence[str]) -> Sequence[str]:
        if down:
            raise down.pop()
        return [await put(connection, item) for item in items]

    kept = database.writer.put(batch, "late", keep=True)
    await database.catch_up()
    assert not kept.done()
    assert await names(database) == []
    assert await kept == "late"


async def test_a_caller_that_is_cancelled_leaves_nothing_open(database: Database) -> None:
    for number in range(1, 20):
        task = asyncio.create_task(database.write(partial(put, name=f"n{number:02}")))
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))
    await database.write(put)
    assert len(await names(database)) == 20


async def test_a_reader_that_is_cancelled_leaves_nothing_open(database: Database) -> None:
    for number in range(30):
        task = asyncio.create_task(names(database))
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))
    assert await names(database) == []


async def test_many_rows_come_one_by_one(database: Database) -> None:
    for number in range(5):
        await database.write(partial(put, name=f"n{number}"))
    assert [row["name"] async for row in database.stream(select(REVISIONS).order_by(REVISIONS.c.name))] == [f"n{n}" for n in range(5)]


async def test_reading_cannot_write(database: Database) -> None:
    if database.is_sqlite:
        with pytest.raises(Unavailable):
            await database.read(insert(REVISIONS).values(name="a", number=1))


async def test_now_is_the_clocks(database: Database, clock: SetClock) -> None:
    assert database.micros() == int(START) * 1_000_000


async def test_before_it_is_prepared_and_after_its_end_nothing_is_done(sqlite_url: Secret, clock: SetClock) -> None:
    async with patient(sqlite_url, clock) as database:
        with pytest.raises(Unavailable):
            await database.read(select(1))
        with pytest.raises(Unavailable):
            await database.write(put)
        await database.prepare()
        await database.write(put)
    with pytest.raises(Unavailable):
        await database.write(put)


async def test_what_waits_at_the_end_is_written(sqlite_url: Secret, clock: SetClock) -> None:
    async with patient(sqlite_url, clock) as database:
        await database.prepare()
        waiting = [asyncio.ensure_future(database.write(partial(put, name=f"n{n}"))) for n in range(5)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    async with patient(sqlite_url, clock) as database:
        await database.prepare()
        assert len(await names(database)) == 5


async def test_a_lock_that_another_process_holds_is_a_503_in_time_and_then_it_goes_on(
    sqlite_url: Secret, clock: SetClock, tmp_path: Path
) -> None:
    async with Database(sqlite_url, clock) as database:
        await database.prepare()
        other = sqlite3.connect(tmp_path / "ailb.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable):
            await database.write(put)
        assert not database.healthy
        other.execute("ROLLBACK")
        other.close()
        await database.write(put)
        assert database.healthy
        assert await names(database) == ["a"]


async def test_a_server_that_is_not_there_is_unavailable_at_once(clock: SetClock) -> None:
    async with Database(Secret("postgresql+asyncpg://nobody@127.0.0.1:1/none"), clock) as database:
        with pytest.raises(Unavailable):
            await database.prepare()


async def test_a_slow_statement_of_a_server_is_given_up(kept: Secret, clock: SetClock) -> None:
    async with Database(kept, clock) as database:
        database.ready = True
        with pytest.raises(Unavailable):
            await database.read(select(func.pg_sleep(3600)))
