from collections.abc import Mapping, Sequence
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.rarity import FEW, Row, ranked, times, weights

WEIGHTS = {"fox": 3.0, "dog": 1.0, "eats": 2.0}
SAID = st.lists(st.sampled_from([*WEIGHTS, "the", "lazy"]), min_size=1, max_size=30)


def row(id: int, said: Sequence[str]) -> Row:
    return id, [word for word in dict.fromkeys(said) if word in WEIGHTS], " ".join(said)


ROWS = st.lists(SAID, max_size=10).map(lambda texts: [row(id, said) for id, said in enumerate(texts)])


@pytest.mark.parametrize(
    ("rows", "all", "telling"),
    [
        ({}, 0, []),
        ({"fox": 0}, 100, []),
        ({"fox": 1, "zebra": 0}, 100, ["fox"]),
        ({"fox": 25, "the": 26}, 100, ["fox"]),
        ({"der": 90, "die": 80}, 100, ["die"]),
        ({"fox": FEW, "the": FEW + 1}, 30, ["fox"]),
        ({"fox": 3, "dog": 3}, 3, ["fox", "dog"]),
    ],
)
def test_what_is_looked_for(rows: Mapping[str, int], all: int, telling: Sequence[str]) -> None:
    assert telling == list(weights(rows, all))


def test_a_rarer_word_says_more() -> None:
    assert {"fox": log(101), "dog": log(11)} == pytest.approx(weights({"fox": 1, "dog": 10}, 100))


@pytest.mark.parametrize(
    ("terms", "words", "counted"),
    [
        ([], "fox", {}),
        (["fox"], "fox", {"fox": 1}),
        (["fox"], "fox fox fox", {"fox": 3}),
        (["fox", "dog"], "a fox foxes firefox dog fox", {"fox": 2, "dog": 1}),
        (["jumps"], "jumping jumping", {"jumps": 1}),
        (["中文", "检索"], "中文 文检 检索 中文", {"中文": 2, "检索": 1}),
    ],
)
def test_how_often_a_word_is_there(terms: Sequence[str], words: str, counted: Mapping[str, int]) -> None:
    assert counted == times(terms, words)


@given(SAID)
def test_it_is_there_as_often_as_counting_says(said: list[str]) -> None:
    assert {word: said.count(word) for word in said} == times(said, " ".join(said))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("a fox", "a dog"),
        ("a fox that eats", "a fox and a dog"),
        ("a fox or any other fox", "a fox or some other cat"),
        ("a fox", "a fox and much that is said about nothing in particular"),
        ("this is about a fox that eats, at some length, and the like", "fox"),
        ("a dog that eats, as long as it is not a fox", "dog dog dog dog dog dog dog dog dog dog dog dog dog dog"),
    ],
)
def test_which_row_is_better(better: str, worse: str) -> None:
    rows = [row(id, text.replace(",", "").split()) for id, text in enumerate((worse, better))]
    assert [1, 0] == [id for id, _ in ranked(rows, WEIGHTS, 2)]


@given(ROWS, st.integers(0, 12))
def test_the_best_are_first_and_no_more_than_asked_for(rows: list[Row], most: int) -> None:
    found = ranked(rows, WEIGHTS, most)
    assert found == sorted(found, key=lambda item: (-item[1], item[0]))
    assert found == ranked(rows, WEIGHTS, len(rows))[:most]
    assert {id for id, score in found if score > 0} == {id for id, terms, _ in rows if terms} & {id for id, _ in found}


@given(ROWS)
def test_a_row_scores_the_same_whatever_the_others_are(rows: list[Row]) -> None:
    assert dict(ranked(rows, WEIGHTS, len(rows))) == dict(pair for row in rows for pair in ranked([row], WEIGHTS, 1))


@given(SAID, st.sampled_from(list(WEIGHTS)))
def test_a_word_in_place_of_one_that_was_not_asked_for_makes_no_row_worse(said: list[str], word: str) -> None:
    before, after = row(0, ["?" * len(word), *said]), row(1, [word, *said])
    scores = dict(ranked([before, after], WEIGHTS, 2))
    assert scores[1] > scores[0]
