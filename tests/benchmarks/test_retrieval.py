from pathlib import Path

from benchmarks.retrieval import BARS, END, PAGE, START, chosen, plotted, table, wanted, written
from benchmarks.retrieval_run import WAYS, Score
from tests.benchmarks.test_retrieval_sets import data

__all__ = ["data"]  # a fixture is found by its name here

GOOD = dict.fromkeys(WAYS, Score(96.0, 97.5, 98.0))


def test_a_row_says_what_was_wanted_and_whether_it_came() -> None:
    head, row = table({"XQuAD en": GOOD}, {"XQuAD en": (1190, 240)})
    assert ["XQuAD en", "1,190", "240"] == row[:3]
    assert ["96.0 / 97.5 / 98.0"] * 3 + ["95 / 97 / –"] == row[3:]
    assert len(head) == len(row)


def test_what_is_missed_is_said() -> None:
    assert wanted("XQuAD en", Score(94.9, 99.0, 99.0)).endswith("**missed**")
    assert wanted("XQuAD de", Score(1.0, 1.0, 1.0)) == ""


def test_only_the_measured_part_of_the_page_is_written_anew() -> None:
    page = f"# Head\n\n{START}old\n{END}\ntail\n"
    once = written(page, table({"XQuAD en": GOOD}, {"XQuAD en": (1190, 240)}))
    assert once.startswith(f"# Head\n\n{START}| ")
    assert once.endswith(f"{END}\ntail\n")
    assert "old" not in once
    assert once == written(once, table({"XQuAD en": GOOD}, {"XQuAD en": (1190, 240)}))


def test_the_page_has_a_place_for_what_is_measured() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert 0 < text.index(START) < text.index(END)


def test_the_plot_has_a_bar_for_each_way() -> None:
    assert 3 + 3 == plotted({"XQuAD en": GOOD}).count("<rect")


def test_every_bar_is_of_a_set_that_is_asked(data: Path) -> None:
    for language in ("de", "es", "zh", "ar"):
        (data / f"xquad.{language}.json").write_bytes((data / "xquad.en.json").read_bytes())
    assert set(BARS) <= {each.name for each in chosen(data)}
