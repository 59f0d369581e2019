import asyncio

import pytest

from ailb.errors import NotFound, Unavailable
from ailb.retrieval import Passage, Reader
from ailb.testing_retrieval import Asked, MemoryRetriever

PASSAGES = [Passage(f"c{number}", "d", "text") for number in range(3)]


def retriever() -> MemoryRetriever:
    return MemoryRetriever({("ann", "docs"): PASSAGES})


async def test_a_reader_finds_the_first_passages_of_his_collection() -> None:
    made = retriever()
    assert PASSAGES[:2] == await made.search(Reader("ann"), "docs", "what?", 2)
    assert [Asked(Reader("ann"), "docs", "what?", 2)] == made.asked


@pytest.mark.parametrize(
    ("reader", "collection"),
    [(Reader("ann"), "other"), (Reader("ben"), "docs"), (Reader("ann", ()), "docs"), (Reader("ann", ("a",)), "docs")],
)
async def test_what_is_not_his_is_not_there(reader: Reader, collection: str) -> None:
    with pytest.raises(NotFound):
        await retriever().search(reader, collection, "what?", 2)


async def test_it_can_be_down() -> None:
    made = retriever()
    made.down = True
    with pytest.raises(Unavailable):
        await made.search(Reader("ann"), "docs", "what?", 2)


async def test_it_can_hang_until_nobody_waits_any_more() -> None:
    made = retriever()
    made.hung = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(made.search(Reader("ann"), "docs", "what?", 2), 0.01)
    assert 0 == made.waiting
