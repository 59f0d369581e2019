"""A batch in a thread does what it does over a driver."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ailb.store.connections import near
from ailb.store.links import Beside, Far, Link, Near, driven, finished

COUNT = text("SELECT count(*) FROM t")


@pytest.fixture(params=["near", "far"])
async def link(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Link]:
    file = tmp_path / "t.db"
    if request.param == "near":
        near = Near(create_engine(f"sqlite:///{file}", connect_args={"check_same_thread": False}))
        yield near
        await near.close()
        return
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    far = Far(engine)
    yield far
    await far.close()
    await engine.dispose()


async def create(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE TABLE t (x INTEGER UNIQUE)"))


async def count(connection: AsyncConnection) -> int:
    return int(await connection.scalar(COUNT))


async def test_what_was_done_is_there_in_the_next_transaction_and_after_a_new_connection(link: Link) -> None:
    await link.transaction(create)

    async def insert(connection: AsyncConnection) -> int:
        rows = [{"x": 1}, {"x": 2}]
        await connection.execute(text("INSERT INTO t VALUES (:x)"), rows)
        await connection.exec_driver_sql("INSERT INTO t VALUES (?)", [(3,), (4,)])
        return await count(connection)

    assert await link.transaction(insert) == 4
    await link.disconnect()
    assert (await link.transaction(count), link.committing) == (4, isinstance(link, Far))


async def test_a_failure_takes_all_of_its_transaction_with_it(link: Link) -> None:
    await link.transaction(create)

    async def fail(connection: AsyncConnection) -> None:
        await connection.execute(text("INSERT INTO t VALUES (1)"))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await link.transaction(fail)
    assert link.committing is False
    assert await link.transaction(count) == 0


async def test_what_the_driver_refuses_is_told_as_elsewhere(link: Link) -> None:
    await link.transaction(create)

    async def twice(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("INSERT INTO t VALUES (?)", [(1,), (1,)])

    with pytest.raises(IntegrityError, match="UNIQUE"):
        await link.transaction(twice)
    assert await link.transaction(count) == 0


async def test_what_cannot_be_committed_is_not_there_and_the_next_transaction_is(tmp_path: Path) -> None:
    link = Near(near(make_url(f"sqlite:///{tmp_path}/t.db"), writes=True, patience=1.0))
    await link.transaction(create)

    async def orphan(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("CREATE TABLE u (y REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED)")
        await connection.exec_driver_sql("INSERT INTO u VALUES (1)")

    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        await link.transaction(orphan)
    await link.transaction(lambda connection: connection.exec_driver_sql("CREATE TABLE u (y)"))
    await link.close()


async def test_only_one_writes_and_the_next_one_when_it_is_done(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path}/t.db")
    link, hasty = Near(near(url, writes=True, patience=1.0)), near(url, writes=True, patience=0.0)
    await link.transaction(create)

    async def meanwhile(connection: AsyncConnection) -> None:
        with hasty.connect() as other, pytest.raises(OperationalError, match="locked"):
            driven(other, "BEGIN IMMEDIATE")

    await link.transaction(meanwhile)
    with hasty.connect() as other:
        driven(other, "BEGIN IMMEDIATE")
    await link.close()


async def test_a_savepoint_keeps_a_failure_to_itself(link: Link) -> None:
    await link.transaction(create)

    async def half(connection: AsyncConnection) -> int:
        await connection.execute(text("INSERT INTO t VALUES (1)"))
        with pytest.raises(IntegrityError):
            async with connection.begin_nested():
                await connection.execute(text("INSERT INTO t VALUES (1)"))
        return await count(connection)

    assert await link.transaction(half) == 1


@pytest.fixture
def beside() -> Iterator[Beside]:
    made = Beside("beside")
    yield made
    made.close()


async def test_what_nobody_waits_for_any_more_is_done_all_the_same(beside: Beside) -> None:
    go, done = threading.Event(), list[bool]()
    given_up = asyncio.create_task(beside.call(lambda: done.append(go.wait(5.0))))
    await asyncio.sleep(0)
    given_up.cancel()
    go.set()
    assert await beside.call(lambda: list(done)) == [True]


def test_the_thread_outlives_an_event_loop_and_what_is_raised(beside: Beside) -> None:
    go = threading.Event()

    async def leave() -> None:
        asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)  # type: ignore[union-attr] # there is one
        await beside.call(go.wait)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(leave())
    go.set()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(beside.call(lambda: 1 // 0))
    assert asyncio.run(beside.call(lambda: 5)) == 5


def test_the_thread_ends_after_what_it_was_given() -> None:
    beside = Beside("beside")
    thread = asyncio.run(beside.call(threading.current_thread))
    beside.close()
    thread.join(5.0)
    assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="its end"):
        asyncio.run(beside.call(threading.current_thread))


async def test_who_waits_for_something_else_is_told() -> None:
    async def waits() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="wait for the connection only"):
        finished(waits())
