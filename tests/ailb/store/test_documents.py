import asyncio

import pytest

from ailb.errors import Conflict, NotFound
from ailb.retrieval import Reader
from ailb.store import documents as module
from ailb.store.database import Database
from ailb.store.documents_rows import GONE, SHARED
from tests.ailb.store.shelf import ANN, BAG, BOB, Shelf, upload


@pytest.fixture
async def shelf(database: Database) -> Shelf:
    return Shelf(database)


async def test_a_collection_is_found_as_it_was_made(shelf: Shelf) -> None:
    made = await shelf.create("ann", "docs", embedder="bag-1", metadata={"a": [1, "ü"]})
    assert made == await shelf.find(ANN, "docs")
    assert ("ann", "docs", "bag-1", None, {"a": [1, "ü"]}, False) == (
        made.owner,
        made.name,
        made.embedder,
        made.dimension,
        made.metadata,
        made.shared,
    )


async def test_a_name_is_an_owners_once(shelf: Shelf) -> None:
    await shelf.create("ann", "docs")
    with pytest.raises(Conflict, match="of this name"):
        await shelf.create("ann", "docs")
    bobs = await shelf.create("bob", "docs")
    assert bobs == await shelf.find(BOB, "docs")


async def test_foreign_and_absent_look_the_same(shelf: Shelf) -> None:
    await shelf.create("ann", "docs")
    told = []
    for name in ("docs", "none"):
        with pytest.raises(NotFound) as caught:
            await shelf.find(BOB, name)
        told.append((caught.value.message, caught.value.param))
    assert told[0] == told[1]


async def test_ones_own_comes_before_the_shared_one(shelf: Shelf) -> None:
    shared = await shelf.create(SHARED, "docs")
    own = await shelf.create("ann", "docs")
    assert (own, shared, True) == (await shelf.find(ANN, "docs"), await shelf.find(BOB, "docs"), shared.shared)
    await shelf.delete(own)
    assert shared == await shelf.find(ANN, "docs")


async def test_a_key_sees_what_it_is_allowed(shelf: Shelf) -> None:
    for owner, name in (("ann", "a"), ("ann", "b"), (SHARED, "c"), (SHARED, "d")):
        await shelf.create(owner, name)
    some, none = Reader("ann", ("b", "c", "x")), Reader("ann", ())
    assert ["b", "c"] == [each.name for each in (await shelf.page(some))[0]]
    assert ([], 0) == await shelf.page(none)
    for reader, name in ((some, "a"), (some, "d"), (some, "x"), (none, "b"), (none, "c")):
        with pytest.raises(NotFound):
            await shelf.find(reader, name)
    assert ["a", "b", "c", "d"] == [each.name for each in (await shelf.page(ANN))[0]]


@pytest.mark.parametrize("user", ["", GONE])
async def test_nobody_is_no_reader(shelf: Shelf, user: str) -> None:
    await shelf.create(SHARED, "docs")
    with pytest.raises(ValueError, match="a reader has a user"):
        await shelf.find(Reader(user), "docs")
    with pytest.raises(ValueError, match="a reader has a user"):
        await shelf.page(Reader(user))


@pytest.mark.parametrize("user", ["%", "_", "ann' OR '1'='1", "ann\0", "ANN", "ann "])
async def test_a_user_is_exactly_this_one(shelf: Shelf, user: str) -> None:
    await shelf.create("ann", "docs")
    if "\0" in user and not shelf.database.is_sqlite:
        return  # PostgreSQL has no such text, and nobody such a name
    with pytest.raises(NotFound):
        await shelf.find(Reader(user), "docs")


async def test_pages_count_all_and_what_is_in_each(shelf: Shelf) -> None:
    for name in ("a", "b", "c"):
        collection = await shelf.create("ann", name)
    await shelf.taken(collection, "d1", "one", "two")
    await shelf.taken(collection, "d2", "three")
    await shelf.put(collection, upload("d3", "x"), [], last=False)
    found, total = await shelf.page(ANN, limit=2, offset=1)
    assert ([("b", 0, 0), ("c", 2, 3)], 3) == ([(each.name, each.documents, each.chunks) for each in found], total)
    assert (2, 3) == ((await shelf.counted(collection)).documents, (await shelf.find_id(collection.id)).chunks)


async def test_documents_are_listed_as_they_came(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "docs")
    await shelf.taken(collection, "b", "text", title="T", source="s.md", metadata={"k": "v"})
    await shelf.taken(collection, "a", "other")
    (first, second), total = await shelf.documents(collection)
    assert ("a", "b", 2) == (first.id, second.id, total)
    assert ("T", "s.md", {"k": "v"}, 1, 4, 32) == (
        second.title,
        second.source,
        second.metadata,
        second.chunks,
        second.bytes,
        len(second.hash),
    )
    assert ["b"] == [each.id for each in (await shelf.documents(collection, limit=1, offset=1))[0]]
    assert second == await shelf.document(collection, "b")
    assert await shelf.document(collection, "c") is None


async def test_what_is_found_has_its_document_with_it(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "docs")
    await shelf.taken(collection, "a", "zero", "the quick fox", title="Animals", source="a.txt", metadata={"n": 1})
    ((id, _),) = await shelf.worded(collection, "fox", 10)
    passage, number = (await shelf.passages(collection, [id, 999]))[id]
    assert ("a", "the quick fox", "Animals", "a.txt", {"n": 1}, 1) == (
        passage.document,
        passage.text,
        passage.title,
        passage.source,
        passage.metadata,
        number,
    )
    assert ["zero", "the quick fox"] == sorted(await shelf.texts(collection, "animals"), reverse=True)


async def test_a_chunk_of_another_collection_is_not_shown_whoever_knows_its_id(shelf: Shelf) -> None:
    anns, bobs = await shelf.create("ann", "docs"), await shelf.create("bob", "docs")
    await shelf.taken(bobs, "a", "secret")
    ((id, _),) = await shelf.worded(bobs, "secret", 10)
    assert {} == await shelf.passages(anns, [id])
    assert [] == await shelf.worded(anns, "secret", 10)


async def test_a_deleted_document_is_gone_at_once_and_swept_out_later(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "docs", embedder="bag-1")
    await shelf.taken(collection, "a", "a fox", "more", embedder="bag-1")
    await shelf.taken(collection, "b", "another fox", embedder="bag-1")
    await shelf.delete_document(collection, "a")
    assert ["another fox"] == await shelf.texts(collection, "fox")
    with pytest.raises(NotFound, match="no such document"):
        await shelf.delete_document(collection, "a")
    await shelf.sweep()
    assert (1, 1) == await shelf.rows()
    assert 1 == len(shelf.near.there[collection.id])


async def test_a_deleted_collection_is_gone_at_once_and_its_name_free(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "docs", embedder="bag-1")
    await shelf.taken(collection, "a", "a fox", embedder="bag-1")
    await shelf.delete(collection)
    for gone in (shelf.find(ANN, "docs"), shelf.delete(collection), shelf.find_id(collection.id)):
        with pytest.raises(NotFound):
            await gone
    other = await shelf.create("ann", "docs")
    await shelf.sweep()
    assert (0, 0) == await shelf.rows()
    assert {} == shelf.near.there
    assert [other] == (await shelf.page(ANN))[0]


async def test_another_process_sees_a_deletion_at_once(database: Database) -> None:
    """Two that know nothing of each other, over one database; the vectors of the second are never told."""
    here, there = Shelf(database), Shelf(database)
    collection = await here.create("ann", "docs", embedder="bag-1")
    await here.taken(collection, "a", "a fox", embedder="bag-1")
    same = await there.find(ANN, "docs")
    there.near.there = {name: dict(rows) for name, rows in here.near.there.items()}
    near = [id for id, _ in await there.near.query(same.id, BAG.of("fox"), 10)]
    assert 1 == len(await there.passages(same, near))
    await here.delete_document(collection, "a")
    assert {} == await there.passages(same, near)
    assert [] == await there.texts(same, "fox")


async def test_nobody_makes_names_without_end(shelf: Shelf) -> None:
    for number in range(3):
        await shelf.create("ann", f"c{number}")
    most = module.MOST_COLLECTIONS
    assert most > 3
    await asyncio.gather(*(shelf.create("ann", f"n{number}") for number in range(most - 3)))
    with pytest.raises(Conflict, match=f"{most} collections"):
        await shelf.create("ann", "more")
    assert "bobs" == (await shelf.create("bob", "bobs")).name


async def test_what_was_deleted_is_swept_out_beside(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "docs")
    async with shelf:
        await shelf.taken(collection, "a", "a fox")
        await shelf.delete_document(collection, "a")
        async with asyncio.timeout(20):
            while await shelf.rows() != (0, 0):
                await asyncio.sleep(0.01)
