"""Searching as a whole: tenants, deletions, and a meaning that cannot be had. Both databases; vectors in memory."""

import math
from typing import Any

import pytest

from ailb.errors import BudgetExceeded, NotFound
from ailb.retrieval import Reader
from ailb.retriever import Searcher
from ailb.store.database import Database
from ailb.store.documents_rows import SHARED, Collection
from ailb.tally import Tally
from tests.ailb.nearby import Bag
from tests.ailb.store.conftest import clock, database, kept, postgres, url
from tests.ailb.store.shelf import ANN, BAG, BOB, Shelf

__all__ = ["clock", "database", "kept", "postgres", "url"]  # fixtures are found by their names here


@pytest.fixture
async def shelf(database: Database) -> Shelf:
    return Shelf(database)


@pytest.fixture
async def docs(shelf: Shelf) -> Collection:
    made = await shelf.create("ann", "docs", embedder=BAG.name)
    texts = {"a": "The quick brown fox", "b": "A lazy dog sleeps", "c": "Rain falls in April"}
    for id, text in texts.items():
        await shelf.taken(made, id, text, embedder=BAG.name, title=id.upper())
    return made


def searcher(shelf: Shelf, embedder: Any = None, tally: Tally | None = None) -> Searcher:
    return Searcher(shelf, shelf.near, embedder or Bag(), tally)


async def test_the_best_comes_first_with_all_that_is_known_of_it(shelf: Shelf, docs: Collection) -> None:
    found = await searcher(shelf).search(ANN, "docs", "Where does the dog sleep?", 2)
    assert ("b", "A lazy dog sleeps", "B", "") == (found[0].document, found[0].text, found[0].title, found.degraded)
    assert 2 == len(found)
    assert found[0].score > found[1].score


async def test_what_has_no_word_in_common_is_found_by_its_meaning(shelf: Shelf, docs: Collection) -> None:
    embedder = Bag()
    embedder.vector = BAG.of("Rain falls in April")
    found = await searcher(shelf, embedder).search(ANN, "docs", "weather", 1)
    assert ["c"] == [each.document for each in found]


async def test_the_user_who_asks_pays_for_the_question(shelf: Shelf, docs: Collection) -> None:
    embedder = Bag()
    await searcher(shelf, embedder).search(ANN, "docs", "fox", 1)
    assert ["ann"] == embedder.users


@pytest.mark.parametrize("question", ["", "   ", "?!", "\0", "x" * 100_000, "fox' OR 1=1 --", '"fox" space:1', "\ud800"])
async def test_no_question_is_a_bug(shelf: Shelf, docs: Collection, question: str) -> None:
    found = await searcher(shelf).search(ANN, "docs", question, 3)
    assert {each.document for each in found} <= {"a", "b", "c"}


class Poor(Bag):
    async def embed(self, texts: Any, *, user: str = "") -> Any:
        raise BudgetExceeded


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda shelf, embedder: setattr(embedder, "down", True), "unavailable"),
        (lambda shelf, embedder: setattr(embedder, "hung", True), "timeout"),
        (lambda shelf, embedder: setattr(embedder, "name", "bag-2"), "embedder"),
        (lambda shelf, embedder: setattr(embedder, "vector", [math.nan] * 64), "vector"),
        (lambda shelf, embedder: setattr(embedder, "vector", [math.inf] * 64), "vector"),
        (lambda shelf, embedder: setattr(embedder, "vector", [0.0] * 64), "vector"),
        (lambda shelf, embedder: setattr(embedder, "vector", [1.0] * 63), "vector"),
        (lambda shelf, embedder: setattr(shelf.near, "down", True), "unavailable"),
        (lambda shelf, embedder: setattr(shelf.near, "hung", True), "timeout"),
        (lambda shelf, embedder: shelf.near.there.clear(), "vectors"),
        (lambda shelf, embedder: setattr(embedder, "__class__", Poor), "budget_exceeded"),
    ],
)
async def test_where_the_meaning_cannot_be_had_the_words_are_enough(shelf: Shelf, docs: Collection, spoil: Any, why: str) -> None:
    embedder, tally = Bag(), Tally()
    spoil(shelf, embedder)
    found = await searcher(shelf, embedder, tally).search(ANN, "docs", "lazy dog", 3)
    assert (["b"], why) == ([each.document for each in found], found.degraded)
    assert [1] == tally.sums()["retrievals", "degraded"]


async def test_a_collection_of_words_only_is_searched_by_words_and_nothing_is_amiss(shelf: Shelf) -> None:
    collection = await shelf.create("ann", "plain")
    await shelf.taken(collection, "a", "The quick brown fox")
    embedder, tally = Bag(), Tally()
    found = await searcher(shelf, embedder, tally).search(ANN, "plain", "fox", 3)
    assert ([("a", "")], []) == ([(each.document, found.degraded) for each in found], embedder.users)
    assert [1] == tally.sums()["retrievals", "words"]


async def test_what_is_in_the_vectors_only_is_not_there(shelf: Shelf, docs: Collection) -> None:
    """As when a deletion did not reach them, or somebody else writes to the same store."""
    shelf.near.forgets = True
    await shelf.delete_document(docs, "b")
    await shelf.near.add(docs.id, [10_000], [BAG.of("lazy dog")])
    before = await searcher(shelf).search(ANN, "docs", "lazy dog", 3)
    await shelf.sweep()
    after = await searcher(shelf).search(ANN, "docs", "lazy dog", 3)
    assert {"a", "c"} == {each.document for each in before} == {each.document for each in after}


async def test_deleted_and_foreign_and_absent_are_the_same(shelf: Shelf, docs: Collection) -> None:
    await shelf.create("bob", "bobs")
    gone = await shelf.create("ann", "gone")
    await shelf.delete(gone)
    told = set()
    for name in ("bobs", "gone", "none", docs.id, gone.id, "%", "docs'--", ""):
        with pytest.raises(NotFound) as caught:
            await searcher(shelf).search(ANN, name, "fox", 3)
        told.add((caught.value.message, caught.value.param, caught.value.code))
    assert 1 == len(told)


async def test_a_key_finds_in_what_it_is_allowed_only(shelf: Shelf, docs: Collection) -> None:
    shared = await shelf.create(SHARED, "all")
    await shelf.taken(shared, "s", "A fox for everybody")
    assert ["s"] == [each.document for each in await searcher(shelf).search(BOB, "all", "fox", 3)]
    for reader, name in ((Reader("ann", ("all",)), "docs"), (Reader("bob", ("docs",)), "all"), (Reader("bob", ("docs",)), "docs")):
        with pytest.raises(NotFound):
            await searcher(shelf).search(reader, name, "fox", 3)


async def test_the_wall_between_tenants(shelf: Shelf) -> None:
    """Twenty of them with the same name for their collection, the same texts but for a canary, and the same questions."""
    users = [f"user-{number}" for number in range(20)]
    topics = ["vacation", "salary", "travel", "security", "holidays"]
    for user in users:
        collection = await shelf.create(user, "docs", embedder=BAG.name)
        for number in range(50):
            text = f"Our policy on {topics[number % 5]}, part {number}: canary-{user}-end says so."
            await shelf.taken(collection, f"d{number}", text, embedder=BAG.name)
    asked = searcher(shelf)
    for user in users:
        for question in (*topics, "policy canary", "canary-user-7-end", "canary user 13 end part 3"):
            found = await asked.search(Reader(user), "docs", question, 10)
            assert found
            assert {True} == {f"canary-{user}-end" in each.text for each in found}
