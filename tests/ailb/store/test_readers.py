"""A look in a thread does what it does over a driver."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.store.connections import checked, engine, near
from ailb.store.readers import FarReaders, NearReaders, Readers
from tests.ailb.store.made import made

ENDLESS = text("WITH RECURSIVE n(x) AS (SELECT begin_it() UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")


@pytest.fixture(params=["near", "far"])
async def readers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Readers]:
    url = checked(made(tmp_path))
    if request.param == "near":
        beside = NearReaders(near(url, writes=False, patience=1.0), 1)
        yield beside
        await beside.close()
        return
    driver = engine(url, writes=False, patience=1.0)
    yield FarReaders(driver)
    await driver.dispose()


async def total(connection: AsyncConnection) -> int:
    one, two = [int(await connection.scalar(text(f"SELECT {number}")) or 0) for number in (1, 2)]
    return one + two


async def test_several_statements_are_one_look(readers: Readers) -> None:
    assert [3] * 10 == await asyncio.gather(*(readers.look(total) for _ in range(10)))


async def test_what_fails_is_raised_and_the_next_look_is_like_any(readers: Readers) -> None:
    async def fail(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT nothing"))

    with pytest.raises(OperationalError, match="nothing"):
        await readers.look(fail)
    assert await readers.look(total) == 3


async def test_nobody_can_write(readers: Readers) -> None:
    async def write(connection: AsyncConnection) -> None:
        await connection.execute(text("INSERT INTO revisions (name, number) VALUES ('a', 1)"))

    with pytest.raises(OperationalError, match="readonly"):
        await readers.look(write)


async def test_nobody_may_wait_for_anything_but_the_file(tmp_path: Path) -> None:
    async def wait(connection: AsyncConnection) -> None:
        await asyncio.sleep(0)

    beside = NearReaders(near(checked(made(tmp_path)), writes=False, patience=1.0), 1)
    with pytest.raises(RuntimeError, match="wait for the connection only"):
        await beside.look(wait)
    await beside.close()


async def test_whoever_is_cancelled_leaves_no_statement_behind(tmp_path: Path) -> None:
    began = Event()
    file = near(checked(made(tmp_path)), writes=False, patience=1.0)
    event.listen(file, "connect", lambda connection, record: connection.create_function("begin_it", 0, began.set))
    beside = NearReaders(file, 1)

    async def endless(connection: AsyncConnection) -> None:
        await connection.execute(ENDLESS)

    task = asyncio.create_task(beside.look(endless))
    await asyncio.to_thread(began.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await beside.look(total) == 3
    await beside.close()
