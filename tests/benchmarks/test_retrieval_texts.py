from itertools import islice
from random import Random

import numpy
import pytest

from ailb.ingest.chunk import Chunk
from benchmarks.retrieval_sets import Set
from benchmarks.retrieval_texts import SENTENCES, chunks, documents, sentences

POOL = [f"Sentence number {number} is neither short nor long at all." for number in range(20)]


def test_sentences_are_there_once_and_fragments_are_not() -> None:
    text = f"{POOL[0]} {POOL[1]}\nShort. {POOL[0]}"
    assert POOL[:2] == sentences([Set("s", [("a", "", [Chunk(text)])], [])])


def test_documents_are_paragraphs_of_sentences_without_end() -> None:
    first, second = islice(documents(POOL, 3, Random(1)), 2)
    assert first != second
    assert 3 == len(first.split("\n\n"))
    assert 3 * SENTENCES == first.count("Sentence number")


def test_a_passages_vector_has_length_1_and_lies_between_its_sentences() -> None:
    vectors = list(numpy.eye(len(POOL)))
    (made,) = chunks(POOL, vectors, 1, Random(1))
    assert sum(each * each for each in made["vector"]) == pytest.approx(1, abs=1e-5)
    assert SENTENCES == sum(each > 0 for each in made["vector"]) == sum(each in made["text"] for each in POOL)
