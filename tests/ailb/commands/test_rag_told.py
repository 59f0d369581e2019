import pytest

from ailb.commands import rag_told
from ailb.commands.rag_ingest import Sums
from ailb.ingest.limits import Unreadable


def test_what_came_of_it_is_told_with_names(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [Unreadable("b.pdf", "is encrypted"), Unreadable("a.txt", "has no text")]
    rag_told.summary(Sums(taken=1200, unchanged=1, problems=problems))
    assert "1,200 taken in, 1 unchanged, 2 not readable\na.txt: has no text\nb.pdf: is encrypted\n" == capsys.readouterr().out
    rag_told.summary(Sums())
    assert "nothing to do\n" == capsys.readouterr().out
    rag_told.summary(Sums(unchanged=2, others=3))
    assert "2 unchanged, 3 of other kinds left out\n" == capsys.readouterr().out


def test_collections_and_documents_are_tables(capsys: pytest.CaptureFixture[str]) -> None:
    rag_told.collections([{"name": "manual", "shared": True, "documents": 1200, "chunks": 3, "embedder": None}])
    rag_told.documents([{"id": "a/b.md", "title": "B", "chunks": 2, "bytes": 5000, "updated_at": "2026-01-01T00:00:00Z"}])
    said = capsys.readouterr().out
    for word in ("manual", "yes", "1,200", "words only", "a/b.md", "5,000", "2026-01-01"):
        assert word in said


def test_passages_are_numbered_and_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    one = {"document": "a.pdf", "page": 3, "heading": "A > B", "score": 0.25, "text": "word\n" * 200}
    rag_told.passages([one, {**one, "page": None, "heading": "", "text": "short"}])
    first, text, second, short = capsys.readouterr().out.splitlines()
    assert ("1. a.pdf, page 3: A > B (0.250)", "2. a.pdf (0.250)", "   short") == (first, second, short)
    assert text.endswith("...")
    rag_told.passages([], "no model")
    assert "nothing found\nby words only: no model\n" == capsys.readouterr().out


def test_the_bar_leaves_alone_who_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with rag_told.Bar() as bar:
        bar.begin(2)
        bar.step(Sums(passages=7))
    assert ("", "") == capsys.readouterr()
