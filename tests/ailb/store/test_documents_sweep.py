import pytest

from ailb.errors import Unavailable
from ailb.store.database import Database
from ailb.store.documents_sweep import DAY, STEP
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.shelf import ANN, Shelf, pieces, upload


@pytest.fixture
async def shelf(database: Database) -> Shelf:
    return Shelf(database)


async def test_what_is_there_and_what_is_coming_stays(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "docs", embedder="bag-1")
    await shelf.taken(collection, "a", "a fox", embedder="bag-1")
    await shelf.put(collection, upload("b", "x", embedder="bag-1"), pieces("a dog", vectors=True), last=False)
    await shelf.sweep()
    assert (2, 2, 2) == (*await shelf.rows(), len(shelf.near.there[collection.id]))
    assert 1 == await shelf.put(collection, upload("b", "x", embedder="bag-1"), [], first=1)
    assert ["a dog"] == await shelf.texts(collection, "dog")


async def test_what_did_not_go_on_is_given_up_after_a_day(shelf: Shelf, clock: SetClock) -> None:
    collection = await shelf.create("ann", "docs")
    await shelf.put(collection, upload("b", "x"), pieces("a dog"), last=False)
    clock.now += DAY / 1_000_000 + 1
    await shelf.sweep()
    assert (0, 0) == await shelf.rows()


async def test_a_large_document_goes_in_steps(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "docs")
    await shelf.taken(collection, "a", *(f"text {number}" for number in range(STEP + 1)))
    await shelf.delete_document(collection, "a")
    await shelf.sweep()
    assert (0, 0) == await shelf.rows()


async def test_while_the_vectors_are_down_their_rows_wait_and_nobody_sees_them(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "docs", embedder="bag-1")
    await shelf.taken(collection, "a", "a fox", embedder="bag-1")
    await shelf.delete_document(collection, "a")
    shelf.near.down = True
    with pytest.raises(Unavailable):
        await shelf.sweep()
    assert (1, 1) == await shelf.rows()
    assert [] == await shelf.texts(collection, "fox")
    shelf.near.down = False
    await shelf.sweep()
    assert (0, 0, {}) == (*await shelf.rows(), shelf.near.there[collection.id])


async def test_a_collection_waits_for_its_vectors_too(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "docs", embedder="bag-1")
    await shelf.taken(collection, "a", "a fox", embedder="bag-1")
    await shelf.delete(collection)
    shelf.near.down = True
    with pytest.raises(Unavailable):
        await shelf.sweep()
    assert ([], 0) == await shelf.page(ANN)
    shelf.near.down = False
    await shelf.sweep()
    assert {} == shelf.near.there


async def test_two_sweeps_at_once_are_one(database: Database) -> None:
    one, other = Shelf(database), Shelf(database)
    collection = await one.create("ann", "docs")
    await one.taken(collection, "a", "a fox", "a dog")
    await one.delete(collection)
    await one.sweep()
    await other.sweep()
    assert (0, 0) == await one.rows()
