import math
from typing import Any

import pytest

from ailb.errors import BadRequest, Conflict, NotFound, Refusal, Unavailable
from ailb.store.database import Database
from ailb.store.documents_rows import Collection, Piece, version
from ailb.store.documents_upload import BATCH, MOST_CHUNKS
from tests.ailb.store.shelf import BAG, Shelf, pieces, upload


@pytest.fixture
async def shelf(database: Database) -> Shelf:
    return Shelf(database)


@pytest.fixture
async def collection(shelf: Shelf) -> Collection:
    return await shelf.create("ann", "docs")


async def test_a_document_is_seen_when_its_last_piece_is_there(shelf: Shelf, collection: Collection) -> None:
    coming = upload("a", "whole")
    assert 2 == await shelf.put(collection, coming, pieces("fox one", "fox two"), last=False)
    assert [] == await shelf.texts(collection, "fox")
    assert ([], 0) == await shelf.documents(collection)
    assert 3 == await shelf.put(collection, coming, pieces("fox three"), first=2)
    assert {"fox one", "fox two", "fox three"} == set(await shelf.texts(collection, "fox"))
    assert [3] == [each.chunks for each in (await shelf.documents(collection))[0]]


async def test_a_new_version_takes_the_old_ones_place_at_once(shelf: Shelf, collection: Collection) -> None:
    await shelf.taken(collection, "a", "old fox", "old dog", title="Old")
    (before,) = (await shelf.documents(collection))[0]
    coming = upload("a", "new", title="New")
    await shelf.put(collection, coming, pieces("new fox"), last=False)
    assert ["old fox"] == await shelf.texts(collection, "fox")
    await shelf.put(collection, coming, pieces("new cat"), first=1)
    assert ["new fox"] == await shelf.texts(collection, "fox")
    assert [] == await shelf.texts(collection, "dog")
    (after,) = (await shelf.documents(collection))[0]
    assert ("New", before.created_at, True) == (after.title, after.created_at, after.updated_at > before.updated_at)
    await shelf.sweep()
    assert (2, 2) == await shelf.rows()


async def test_the_same_content_may_come_again(shelf: Shelf, collection: Collection) -> None:
    for _ in range(3):
        await shelf.taken(collection, "a", "a fox")
    assert ["a fox"] == await shelf.texts(collection, "fox")
    await shelf.sweep()
    assert (1, 1) == await shelf.rows()


async def test_pieces_may_be_sent_again(shelf: Shelf, collection: Collection) -> None:
    coming = upload("a", "whole")
    await shelf.put(collection, coming, pieces("fox zero", "fox one"), last=False)
    for _ in range(2):
        await shelf.put(collection, coming, pieces("fox 1", "fox 2"), first=1, last=False)
    await shelf.put(collection, coming, pieces("fox 3"), first=3)
    assert {"fox zero", "fox 1", "fox 2", "fox 3"} == set(await shelf.texts(collection, "fox"))
    await shelf.sweep()
    assert (4, 4) == await shelf.rows()


async def test_what_does_not_follow_is_refused_and_what_is_seen_stays(shelf: Shelf, collection: Collection) -> None:
    await shelf.taken(collection, "a", "old fox")
    coming = upload("a", "new")
    wrong: list[tuple[Any, Any, dict[str, Any], str]] = [
        (coming, pieces("x"), {"first": 1}, "not coming in"),
        (coming, [], {}, "needs a chunk"),
    ]
    for what, some, where, problem in wrong:
        with pytest.raises(Conflict, match=problem):
            await shelf.put(collection, what, some, **where)
    await shelf.put(collection, coming, pieces("new fox"), last=False)
    for what, first, problem in ((coming, 2, "1 chunks are here"), (upload("a", "other"), 1, "another version")):
        with pytest.raises(Conflict, match=problem):
            await shelf.put(collection, what, pieces("x"), first=first)
    assert ["old fox"] == await shelf.texts(collection, "fox")


async def test_many_pieces_are_written_in_several_steps(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "near")
    many = [f"fox number {number}" for number in range(2 * BATCH + 5)]
    await shelf.taken(collection, "a", *many, embedder="bag-1")
    assert (len(many), len(many)) == await shelf.rows()
    found = await shelf.passages(collection, list(shelf.near.there[collection.id]))
    assert many == [passage.text for passage, number in sorted(found.values(), key=lambda each: each[1])]


async def test_a_document_has_an_end(shelf: Shelf, collection: Collection) -> None:
    with pytest.raises(BadRequest, match=str(MOST_CHUNKS)):
        await shelf.put(collection, upload("a", "x"), pieces("x"), first=MOST_CHUNKS)


async def test_the_first_document_says_who_embeds_and_others_must_agree(shelf: Shelf, collection: Collection) -> None:
    await shelf.taken(collection, "a", "a fox", embedder="bag-1")
    made = await shelf.find_id(collection.id)
    assert ("bag-1", BAG.dimension) == (made.embedder, made.dimension)
    for embedder in ("", "bag-2"):
        with pytest.raises(Conflict, match="has vectors of bag-1"):
            await shelf.taken(collection, "b", "a dog", embedder=embedder)
    short = [Piece("a dog", vector=[1.0, 0.0])]
    with pytest.raises(BadRequest, match="has 2 numbers, and those of the collection have 64"):
        await shelf.put(collection, upload("b", "x", embedder="bag-1"), short)
    assert ["a"] == [each.id for each in (await shelf.documents(collection))[0]]


async def test_an_empty_collection_may_change_its_embedder_and_its_old_vectors_go(shelf: Shelf, collection: Collection) -> None:
    await shelf.taken(collection, "a", "a fox", embedder="bag-1")
    await shelf.delete_document(collection, "a")
    await shelf.put(collection, upload("b", "x", embedder="bag-2"), [Piece("a dog", vector=[1.0, 0.0])])
    assert [[1.0, 0.0]] == list(shelf.near.there[collection.id].values())
    made = await shelf.find_id(collection.id)
    assert ("bag-2", 2) == (made.embedder, made.dimension)


async def test_one_with_documents_and_no_vectors_gets_none(shelf: Shelf, collection: Collection) -> None:
    await shelf.taken(collection, "a", "a fox")
    with pytest.raises(Conflict, match="has no vectors"):
        await shelf.taken(collection, "b", "a dog", embedder="bag-1")


@pytest.mark.parametrize(
    ("vectors", "embedder", "problem"),
    [
        ([None], "bag-1", r"chunks\[0\].vector: is missing"),
        ([[1.0, 0.0], None], "bag-1", r"chunks\[1\].vector: is missing"),
        ([[1.0, 0.0]], "", "without an embedder"),
        ([[1.0, 0.0], [1.0]], "bag-1", r"chunks\[1\].vector: has 1 numbers"),
        ([[math.nan, 0.0]], "bag-1", "finite"),
        ([[math.inf, 0.0]], "bag-1", "finite"),
        ([[0.0, 0.0]], "bag-1", "no direction"),
    ],
)
async def test_bad_vectors_are_refused_before_anything_is_written(
    shelf: Shelf, collection: Collection, vectors: list[list[float] | None], embedder: str, problem: str
) -> None:
    with pytest.raises(BadRequest, match=problem):
        await shelf.put(collection, upload("a", "x", embedder=embedder), [Piece("text", vector=vector) for vector in vectors])
    assert (0, 0) == await shelf.rows()
    assert "" == (await shelf.find_id(collection.id)).embedder


async def test_while_the_vectors_are_down_nothing_becomes_visible_and_it_can_be_sent_again(shelf: Shelf, collection: Collection) -> None:
    shelf.near.down = True
    with pytest.raises(Unavailable):
        await shelf.taken(collection, "a", "a fox", embedder="bag-1")
    assert [] == await shelf.texts(collection, "fox")
    shelf.near.down = False
    await shelf.taken(collection, "a", "a fox", embedder="bag-1")
    assert ["a fox"] == await shelf.texts(collection, "fox")


async def test_nothing_comes_into_a_collection_that_is_gone(shelf: Shelf, collection: Collection) -> None:
    coming = upload("a", "x")
    await shelf.put(collection, coming, pieces("a fox"), last=False)
    await shelf.delete(collection)
    await shelf.sweep()
    for first in (0, 1):
        with pytest.raises(Refusal) as caught:
            await shelf.put(collection, coming, pieces("more"), first=first)
        assert isinstance(caught.value, NotFound | Conflict)
    await shelf.sweep()
    assert (0, 0) == await shelf.rows()


def test_a_version_has_its_number_in_front() -> None:
    assert "0000000000000042:a:b" == version("a:b", 42)
