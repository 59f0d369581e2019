import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import Unavailable
from ailb.store.database import Database
from ailb.store.links import Near
from ailb.store.schema import REVISIONS
from ailb.store.writer import Writer, is_down, one_by_one


class Batches:
    """A Batch that remembers what came together, and fails as often as it is told."""

    def __init__(self) -> None:
        self.seen: list[list[Any]] = []
        self.failures: list[Exception] = []
        self.poison: Any = None

    async def __call__(self, connection: AsyncConnection, items: Sequence[Any]) -> Sequence[Any]:
        self.seen.append(list(items))
        if self.failures:
            raise self.failures.pop(0)
        if self.poison in items:
            raise LookupError("poison")
        await connection.execute(insert(REVISIONS), [{"name": str(item), "number": 1} for item in items])
        return [item * 2 for item in items]


def gone() -> Exception:
    return OperationalError("", {}, Exception("gone"))


@pytest.fixture
def batches() -> Batches:
    return Batches()


async def rows(database: Database) -> set[str]:
    return {row["name"] for row in await database.read(select(REVISIONS.c.name))}


async def test_what_waits_together_is_written_together(database: Database, batches: Batches) -> None:
    futures = [database.writer.put(batches, number) for number in range(5)]
    assert await asyncio.gather(*futures) == [0, 2, 4, 6, 8]
    assert batches.seen == [[0, 1, 2, 3, 4]]


async def test_the_order_is_kept_among_kinds(database: Database, batches: Batches) -> None:
    seen: list[str] = []

    async def note(connection: AsyncConnection) -> None:
        seen.append(f"after {len(batches.seen)}")

    writer = database.writer
    await asyncio.gather(writer.put(batches, 1), writer.put(one_by_one, note), writer.put(batches, 2), writer.put(one_by_one, note))
    assert batches.seen == [[1], [2]]
    assert seen == ["after 1", "after 2"]


async def test_what_must_be_kept_is_tried_until_it_is_written(database: Database, batches: Batches) -> None:
    batches.failures = [gone(), gone()]
    kept, lost = database.writer.put(batches, 1, keep=True), database.writer.put(batches, 2)
    with pytest.raises(Unavailable):
        await lost
    assert await kept == 2
    assert await rows(database) == {"1"}
    assert batches.seen == [[1, 2], [1], [1]]


async def test_what_is_kept_stays_before_what_is_new(database: Database, batches: Batches) -> None:
    batches.failures = [gone()]
    first = database.writer.put(batches, 1, keep=True)
    await asyncio.sleep(0)
    second = database.writer.put(batches, 2, keep=True)
    await asyncio.gather(first, second)
    assert batches.seen[-1] == [1, 2]


@pytest.fixture
def patient(tmp_path: Path) -> Writer:
    """What is only to be kept waits for a minute."""
    engine = create_engine(f"sqlite:///{tmp_path}/t.db", connect_args={"check_same_thread": False})
    return Writer(Near(engine), linger_seconds=60.0)


async def together(connection: AsyncConnection, items: Sequence[Any]) -> Sequence[Any]:
    return [list(items)] * len(items)


async def test_what_must_be_kept_goes_with_who_asks_next(patient: Writer) -> None:
    patient.start()
    kept = patient.put(together, 1, keep=True)
    assert await patient.put(together, 2) == [1, 2]
    assert await kept == [1, 2]
    await patient.stop()


async def test_the_end_waits_for_nobody_else(patient: Writer) -> None:
    patient.start()
    kept = patient.put(together, 1, keep=True)
    await patient.stop()
    assert kept.result() == [1]


async def test_who_came_while_the_server_said_nothing_does_not_wait_as_long_again(patient: Writer) -> None:
    over = threading.Event()

    async def silent(connection: AsyncConnection, items: Sequence[Any]) -> Sequence[Any]:
        over.wait(10)
        raise TimeoutError

    patient.start()
    first = patient.put(silent, 0)
    while patient.waiting:
        await asyncio.sleep(0)
    kept, asked = patient.put(together, 1, keep=True), patient.put(together, 2)
    over.set()
    for future in (first, asked):
        with pytest.raises(Unavailable):
            await future
    assert await kept == [1]
    await patient.stop()


async def test_one_that_cannot_be_written_does_not_take_the_others_along(database: Database, batches: Batches) -> None:
    batches.poison = 2
    futures = [database.writer.put(batches, number, keep=True) for number in (1, 2, 3)]
    answers = await asyncio.gather(*futures, return_exceptions=True)
    assert [2, "LookupError", 6] == [answers[0], type(answers[1]).__name__, answers[2]]
    assert await rows(database) == {"1", "3"}


async def test_what_nobody_waits_for_any_more_is_not_begun(database: Database, batches: Batches) -> None:
    given_up, wanted = database.writer.put(batches, 1), database.writer.put(batches, 2)
    given_up.cancel()
    await wanted
    assert await rows(database) == {"2"}


def test_a_wrong_statement_is_not_an_outage() -> None:
    assert is_down(gone())
    assert is_down(TimeoutError())
    assert not is_down(LookupError())
