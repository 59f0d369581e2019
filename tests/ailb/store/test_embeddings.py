from hashlib import sha256

import pytest
from sqlalchemy import func, select

from ailb.store.database import Database
from ailb.store.embeddings import DAY, KEPT, Embeddings
from ailb.store.schema_documents import EMBEDDINGS
from tests.ailb.store.clocks import SetClock

ONE, TWO = (sha256(text).digest() for text in (b"one", b"two"))


async def count(database: Database) -> int:
    (row,) = await database.read(select(func.count().label("count")).select_from(EMBEDDINGS))
    return int(row["count"])


async def test_what_is_kept_is_found_by_its_embedder(database: Database) -> None:
    there = Embeddings(database)
    await there.keep("a/small", {ONE: [0.6, 0.8], TWO: [1.0, 0.0]})
    await there.keep("a/large", {ONE: [0.0, 1.0, 0.0]})
    found = await there.find("a/small", [ONE, TWO, b"3" * 32])
    assert {ONE, TWO} == set(found)
    assert pytest.approx([0.6, 0.8]) == found[ONE]
    assert {ONE: [0.0, 1.0, 0.0]} == await there.find("a/large", [ONE, TWO])
    assert {} == await there.find("b", [ONE])


async def test_it_may_be_kept_again_and_nothing_may_be_asked_for(database: Database) -> None:
    there = Embeddings(database)
    for vector in ([1.0, 0.0], [0.0, 1.0]):
        await there.keep("a", {ONE: vector})
    await there.keep("a", {})
    assert {ONE: [0.0, 1.0]} == await there.find("a", [ONE])
    assert {} == await there.find("a", [])


async def test_many_are_found(database: Database) -> None:
    there = Embeddings(database)
    hashes = [sha256(str(number).encode()).digest() for number in range(1200)]
    await there.keep("a", {key: [1.0] for key in hashes})
    assert 1200 == len(await there.find("a", hashes))


async def test_what_nobody_asks_for_is_forgotten(database: Database, clock: SetClock) -> None:
    there = Embeddings(database)
    await there.keep("a", {ONE: [1.0], TWO: [1.0]})
    clock.now += (KEPT - DAY) / 1_000_000
    assert {ONE} == set(await there.find("a", [ONE]))
    clock.now += 2 * DAY / 1_000_000
    await there.keep("b", {ONE: [1.0]})
    assert {ONE} == set(await there.find("a", [ONE, TWO]))
    assert 2 == await count(database)
