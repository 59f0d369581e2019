from dataclasses import replace

import pytest

from ailb.fusion import fused, joined, merged
from ailb.retrieval import Passage


def ids(worded: list[tuple[int, float]], near: list[tuple[int, float]]) -> list[int]:
    return [id for id, _ in fused(worded, near)]


def test_without_meaning_it_is_the_order_of_words_and_the_reverse() -> None:
    assert [1, 2] == ids([(1, 9.0), (2, 3.0)], [])
    assert [2, 1] == ids([], [(2, 0.9), (1, 0.2)])
    assert [] == fused([], [])


def test_who_is_in_both_is_before_who_is_in_one() -> None:
    assert [3, 1, 2] == ids([(1, 5.0), (3, 4.5)], [(2, 0.7), (3, 0.6), (9, 0.1)])[:3]


def test_cosines_that_are_all_alike_change_little() -> None:
    """What a model makes of a language that it does not know."""
    assert [1, 2] == ids([(1, 5.0), (2, 4.0)], [(2, 0.82), (3, 0.81), (1, 0.75)])[:2]


def test_a_meaning_that_stands_out_counts_as_much_as_the_best_words() -> None:
    scores = dict(fused([(1, 5.0), (2, 0.5)], [(2, 0.8), (3, 0.2), (4, 0.1)]))
    assert scores[1] == 1.0
    assert 1.05 < scores[2] < 1.15
    assert scores[4] == 0.0


def test_scores_that_say_nothing_divide_by_nothing() -> None:
    assert [(1, 0.0), (2, 0.0), (3, 0.0)] == fused([(1, 0.0)], [(2, 0.5), (3, 0.5)])


def test_the_only_one_that_is_found_by_its_meaning_has_a_score() -> None:
    assert [(1, 0.5)] == fused([], [(1, 0.3)])


def passage(id: int, text: str, document: str = "d", heading: str = "h", page: int | None = None) -> Passage:
    return Passage(str(id), document, text, heading=heading, page=page)


FIRST = "The first sentence is here. The middle one is shared."
SECOND = "The middle one is shared. And the last comes now."


def found(*rows: tuple[Passage, int], most: int = 10) -> list[Passage]:
    passages = {int(each.id): (each, number) for each, number in rows}
    return merged([(int(each.id), 1.0 / place) for place, (each, _) in enumerate(rows, 1)], passages, most)


def test_what_is_not_there_any_more_is_passed_over_and_another_takes_its_place() -> None:
    rows = {2: (passage(2, "two"), 5), 3: (passage(3, "three", "e"), 1)}
    assert ["2", "3"] == [each.id for each in merged([(1, 3.0), (2, 2.0), (3, 1.0)], rows, 2)]


def test_a_text_is_there_once() -> None:
    assert ["1", "3"] == [
        each.id for each in found((passage(1, "a  text"), 0), (passage(2, "a text\n", "e"), 0), (passage(3, "b", "f"), 0))
    ]


def test_neighbours_are_one_passage_in_their_documents_order() -> None:
    (made, other) = found((passage(2, SECOND, page=4), 8), (passage(5, "else", "e"), 1), (passage(1, FIRST, page=3), 7), most=2)
    assert ("2", 3, 1.0) == (made.id, made.page, made.score)
    assert "The first sentence is here. The middle one is shared. And the last comes now." == made.text
    assert "5" == other.id


@pytest.mark.parametrize(
    ("other", "number"),
    [
        (passage(2, SECOND, document="e"), 8),
        (passage(2, SECOND, heading="another"), 8),
        (passage(2, SECOND), 9),
        (passage(2, "x" * 3000), 8),
    ],
)
def test_others_are_passages_of_their_own(other: Passage, number: int) -> None:
    assert 2 == len(found((passage(1, FIRST), 7), (other, number)))


def test_a_passage_does_not_grow_for_ever() -> None:
    rows = [(passage(number, f"text number {number}"), number) for number in range(1, 8)]
    assert [3, 3, 1] == [each.text.count("text number") for each in found(*rows)]


def test_only_a_repetition_that_is_none_by_chance_is_taken_out() -> None:
    assert "ends with a\na begins" == joined("ends with a", "a begins")
    assert FIRST == joined(FIRST, FIRST)


def test_scores_come_with_the_passages() -> None:
    assert [replace(passage(1, "a"), score=1.0)] == found((passage(1, "a"), 0))
