import json
from pathlib import Path

import pytest

from ailb.retrieval import Passage
from benchmarks.children import BenchmarkError
from benchmarks.retrieval_sets import SMALL, Question, asked, folder, own, titles, xquad

TEXT = "The tower is 324 metres tall. " * 20 + "It was built by Eiffel."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    questions = [{"question": "Who built it?", "answers": [{"text": "Eiffel", "answer_start": 0}]}]
    paragraphs = [{"context": TEXT, "qas": questions}, {"context": "Eiffel sleeps.", "qas": []}]
    (tmp_path / "xquad.en.json").write_text(json.dumps({"data": [{"title": "Tower", "paragraphs": paragraphs}]}))
    return tmp_path


def test_a_paragraph_is_a_document_and_any_passage_of_it_answers(data: Path) -> None:
    made = xquad(data, "en")
    assert [("0", 1), ("1", 1)] == [(id, len(chunks)) for id, _, chunks in made.documents]
    assert [Question("Who built it?", "0")] == made.questions
    assert made.by_document


def test_small_passages_answer_only_with_the_answer_in_them(data: Path) -> None:
    made = xquad(data, "en", SMALL, exact=True)
    _, _, chunks = made.documents[0]
    answered = [made.questions[0].is_answered(Passage("1", "0", chunk.text)) for chunk in chunks]
    assert len(chunks) > 2
    assert ([False] * (len(chunks) - 1) + [True], False) == (answered, made.by_document)
    assert not made.questions[0].is_answered(Passage("1", "1", "Eiffel sleeps."))


def test_a_passage_belongs_to_the_section_it_begins_in_and_to_those_that_begin_in_it() -> None:
    assert ["B", "C"] == titles("A > B", "text\n\n## C\n\nmore")
    question = Question("?", "d", heading="C")
    assert question.is_answered(Passage("1", "d", "text\n\n## C\n\nmore", heading="A > B"))
    assert not question.is_answered(Passage("1", "d", "text", heading="C > B"))


def test_every_question_about_the_own_pages_has_a_section_that_is_there() -> None:
    made = own()
    there = {(id, title) for id, _, chunks in made.documents for chunk in chunks for title in titles(chunk.heading, chunk.text)}
    assert set() == {(each.document, each.heading) for each in asked()} - there
    assert len(made.questions) >= 40


def test_without_the_data_it_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AILB_SHARED", str(tmp_path))
    with pytest.raises(BenchmarkError, match="AILB_SHARED"):
        folder()
    (tmp_path / "rag").mkdir()
    assert tmp_path / "rag" == folder()
