import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.words import MOST_TERMS, asked, indexed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("Hello, World!", "hello world"),
        ("snake_case x86-64", "snake_case x86 64"),
        ("ﬁne Ｆｕｌｌ", "fine full"),
        ("中文检索", "中文 文检 检索"),
        ("中", "中"),
        ("用Python写", "用 python 写"),
        ("東京タワー", "東京 京タ タワ ワー"),
        ("서울 사람", "서울 사람"),
        ("والكتاب", "كتاب"),
        ("الكِتَابُ", "كتاب"),
        ("مدرسة", "مدرس"),
        ("ال", "ال"),
        ("__init__ a__b _x", "init a b x"),
        ("Größe", "größe"),
        ("Configuration configuring", "configur configur"),
        ("Verfassungsgericht", "verfassu"),
        ("конфигурации", "конфигур"),
        ("max_completion_tokens sha256sums1", "max_completion_tokens sha256sums1"),
    ],
)
def test_what_is_indexed(text: str, words: str) -> None:
    assert words == indexed(text)


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("", []),
        ("What is the capital of France?", ["capital", "france"]),
        ("What is it?", ["what", "is", "it"]),
        ("Did they do it themselves in Heidelberg?", ["heidelbe"]),
        ("war war WAR", ["war"]),
        ("中文检索", ["中文", "文检", "检索"]),
    ],
)
def test_what_is_looked_for(question: str, terms: list[str]) -> None:
    assert terms == asked(question)


def test_a_long_question_is_cut() -> None:
    assert MOST_TERMS == len(asked(" ".join(f"w{number}" for number in range(1000))))


@given(st.text())
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    assert set(asked(text)) <= set(indexed(text).split())


@given(st.text())
def test_no_term_has_anything_in_it_that_ends_a_word(text: str) -> None:
    assert all(re.fullmatch(r"\w+", term) for term in asked(text))
