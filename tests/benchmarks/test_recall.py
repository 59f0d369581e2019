from random import Random

from ailb.ingest.chunk import Chunk
from benchmarks.recall import END, PAGE, START, WAYS, facts, measured, rows, talk, written
from benchmarks.retrieval_sets import Question, Set

TEXTS = [f"The river number {number} flows through the old town." for number in range(30)]
FILLER = Set("rivers", [("a", "", [Chunk(" ".join(TEXTS))])], [Question("Which river flows through the town?", "a")])


def test_each_fact_is_told_once_in_the_first_half_and_what_asks_for_it_right_before() -> None:
    turns = list(talk(facts(), FILLER, 80, Random(1)))
    told = {turn: fact for turn, (_, fact) in enumerate(turns) if fact}
    assert sorted(each["question"] for each in facts()) == sorted(fact["question"] for fact in told.values())
    assert max(told) < 40
    for turn, fact in told.items():
        assert fact["told"] == turns[turn][0][0]["content"]
        assert turns[turn - 1][0][1]["content"].endswith(fact.get("asked", ""))


async def test_conversations_are_recalled_through_the_real_store() -> None:
    found = await measured(FILLER, 1, 80)
    assert {len(WAYS)} == {len(each) for some in found.values() for each in some}
    assert len(facts()) == sum(map(len, found.values()))
    assert any(words_and_meaning for some in found.values() for *_, words_and_meaning in some)


def test_rows_are_shares() -> None:
    found = {"in a sentence": [[True, False, True], [False, False, True]], "as a short answer": [[True, True, True]]}
    assert [
        ["in a sentence (2)", "50.0", "0.0", "100.0"],
        ["as a short answer (1)", "100.0", "100.0", "100.0"],
        ["all (3)", "66.7", "33.3", "100.0"],
    ] == rows(found)


def test_only_the_measured_part_of_the_page_is_written_anew() -> None:
    once = written(f"# Head\n\n{START}former\n{END}\ntail\n", [["all (1)", "1", "2", "3"]])
    assert once.startswith(f"# Head\n\n{START}| ")
    assert once.endswith(f"{END}\ntail\n")
    assert "former" not in once
    assert START in PAGE.read_text(encoding="utf-8")
