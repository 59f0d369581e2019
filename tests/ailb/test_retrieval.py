from ailb.retrieval import Passage, Reader


def test_a_passage_is_complete_with_its_text() -> None:
    assert ("", None, {}) == (Passage("c1", "d1", "text").heading, Passage("c1", "d1", "text").page, Passage("c1", "d1", "text").metadata)


def test_a_reader_whose_key_says_nothing_has_no_list() -> None:
    assert Reader("ann").collections is None
