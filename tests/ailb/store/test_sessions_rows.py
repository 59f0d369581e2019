from ailb.sessions import Turn
from ailb.store.sessions_rows import MOST_INDEXED, MOST_NEIGHBOUR, dumped, searchable


def said(text: str) -> str:
    return dumped(Turn(1, 0.0, [{"role": "user", "content": text}, {"role": "assistant", "content": None}])).decode()


def test_a_turn_is_searched_by_its_own_words_and_those_before() -> None:
    assert ("now", "now\nthen") == (searchable(said("now"), None), searchable(said("now"), said("then")))


def test_not_all_of_a_long_one_is_indexed() -> None:
    found = searchable(said("a" * 100_000), said("b" * 100_000))
    assert (MOST_INDEXED, MOST_NEIGHBOUR) == (found.count("a"), found.count("b"))
