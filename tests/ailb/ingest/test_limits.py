from ailb.errors import BadRequest
from ailb.ingest.limits import Limits, Unreadable


def test_a_document_that_cannot_be_read_is_named() -> None:
    problem = Unreadable("a/b.pdf", "is encrypted")
    assert isinstance(problem, BadRequest)
    assert (400, "a/b.pdf: is encrypted", "is encrypted") == (problem.status, problem.message, problem.problem)


def test_a_passage_is_longer_than_what_it_shares_with_the_one_before() -> None:
    assert Limits().overlap < Limits().chunk
