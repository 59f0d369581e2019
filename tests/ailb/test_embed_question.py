import pytest

from ailb.embed_question import Questions
from ailb.errors import Unavailable
from tests.ailb.nearby import Bag
from tests.ailb.store.shelf import BAG


async def test_a_question_has_the_vector_that_its_embedder_makes_and_its_user_pays() -> None:
    embedder = Bag()
    questions = Questions(embedder)
    assert (embedder.name, BAG.of("a fox"), ["ann"]) == (questions.name, await questions.vector("a fox", user="ann"), embedder.users)


async def test_an_embedder_that_hangs_is_waited_for_once() -> None:
    embedder = Bag()
    embedder.hung = True
    questions = Questions(embedder, seconds=0.001, rest_seconds=3600)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await questions.vector("a fox", user="ann")
    assert ["ann"] == embedder.users


async def test_after_its_rest_it_is_asked_again() -> None:
    embedder = Bag()
    embedder.hung = True
    questions = Questions(embedder, seconds=0.001, rest_seconds=0)
    with pytest.raises(TimeoutError):
        await questions.vector("a fox", user="ann")
    embedder.hung = False
    assert BAG.of("a fox") == await questions.vector("a fox", user="ann")


async def test_one_that_is_down_says_so_each_time() -> None:
    embedder = Bag()
    embedder.down = True
    questions = Questions(embedder, seconds=3600, rest_seconds=3600)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await questions.vector("a fox", user="ann")
    assert 2 == len(embedder.users)
