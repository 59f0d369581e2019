from pathlib import Path

import pytest

from ailb.ingest.chunk import Chunk
from ailb.retrieval import Passage
from benchmarks.retrieval_run import WAYS, Bench, Score, place_of, scored
from benchmarks.retrieval_sets import Question, Set


def test_scores_of_places() -> None:
    assert Score(100.0, 100.0, 100.0) == scored([0, 0])
    half = scored([0, 1])
    assert (50.0, 75.0, 81.55) == (half.first, half.mrr, round(half.ndcg, 2))
    assert Score(0.0, 0.0, 0.0) == scored([None, 10])


@pytest.mark.parametrize(("by_document", "place"), [(True, 1), (False, 2)])
def test_a_document_may_have_one_place(by_document: bool, place: int) -> None:
    passages = [Passage("1", "a", "x"), Passage("2", "a", "y"), Passage("3", "b", "z")]
    assert place == place_of(Question("?", "b"), passages, by_document)
    assert place_of(Question("?", "c"), passages, by_document) is None


async def test_a_set_is_asked_through_the_real_thing(tmp_path: Path) -> None:
    texts = {"a": "The tower was built by Eiffel.", "b": "Bees make honey out of nectar.", "c": "Rain falls in April."}
    documents = [(id, "", [Chunk(text)]) for id, text in texts.items()]
    questions = [Question("Who built the tower?", "a"), Question("How do bees make honey?", "b")]
    async with Bench(tmp_path) as bench:
        found = await bench.run(Set("tiny", documents, questions))
    assert dict.fromkeys(WAYS, Score(100.0, 100.0, 100.0)) == found
