from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.store.database import Database
from ailb.store.words import MOST_READ, Words, space
from ailb.words import MOST_TERMS

MINE, THEIRS = space("ann", "s"), space("bob", "s")
TEXTS = {
    1: "The quick brown fox jumps over the lazy dog.",
    2: "Foxes are omnivorous mammals; a fox eats fruit.",
    3: "中文检索需要特别的分词",
    4: "الكتاب على الطاولة",
    5: "Nothing in particular is said here, at some length and without any need.",
}


@pytest.fixture
async def index(database: Database) -> Words:
    made = Words(database, "turns_words")
    await add(database, made, MINE, TEXTS)
    await add(database, made, THEIRS, {11: "My fox is my own, and so is the quick dog."})
    return made


async def add(database: Database, index: Words, where: str, texts: dict[int, str]) -> None:
    async def work(connection: AsyncConnection) -> None:
        await index.add(connection, where, list(texts.items()))

    await database.write(work)


async def remove(database: Database, index: Words, ids: Sequence[int]) -> None:
    async def work(connection: AsyncConnection) -> None:
        await index.remove(connection, ids)

    await database.write(work)


async def found(index: Words, question: str, where: str = MINE, most: int = 10) -> list[int]:
    return [id for id, _ in await index.find(where, question, most)]


@pytest.mark.parametrize(
    ("question", "ids"),
    [
        ("What does a fox eat?", [2, 1]),
        ("quick jumping dogs", [1]),
        ("检索", [3]),
        ("كتاب", [4]),
        ("zebra", []),
        ("", []),
        ("?!", []),
    ],
)
async def test_who_has_the_words_is_found_the_best_first(index: Words, question: str, ids: list[int]) -> None:
    assert ids == await found(index, question)


async def test_no_more_than_asked_for(index: Words) -> None:
    assert [2] == await found(index, "What does a fox eat?", most=1)


async def test_a_score_is_better_when_it_is_more(index: Words) -> None:
    scores = [score for _, score in await index.find(MINE, "fox eats", 10)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0


async def test_what_every_other_row_has_says_nothing_beside_a_rarer_word(database: Database, index: Words) -> None:
    """Though it is said twice there, and in a language whose stop words nobody has listed."""
    texts = {100 + number: f"und und und {'Hund' if number % 20 else 'Katze'} zeile {number}" for number in range(100)}
    where = space("carl", "s")
    await add(database, index, where, texts)
    assert {100, 120, 140, 160, 180} == set(await found(index, "und Katze", where, 100))
    assert 100 == len(await found(index, "und", where, 100))


async def test_a_word_that_comes_again_counts_for_more(database: Database, index: Words) -> None:
    where = space("carl", "s")
    await add(database, index, where, {21: "a horse and a cow", 22: "a horse and no horse", 23: "a horse and a pig"})
    assert [22, 21, 23] == await found(index, "horse", where)


@pytest.mark.parametrize("question", ["What does a fox eat?", "quick jumping dogs", "检索", "the fox, the fruit and the need"])
async def test_no_score_tells_what_others_write(database: Database, index: Words, question: str) -> None:
    before = await index.find(MINE, question, 10)
    for owner, texts in enumerate((["fox"] * 50, ["quick dogs eat fruit, 中文检索"] * 50, ["something else " * 500] * 20)):
        theirs = {1000 * (owner + 1) + number: text for number, text in enumerate(texts)}
        await add(database, index, space("bob", str(owner)), theirs)
        assert before == await index.find(MINE, question, 10)
    await remove(database, index, range(1000, 1050))
    assert before == await index.find(MINE, question, 10)


async def test_a_word_is_found_at_the_end_of_a_long_row(database: Database, index: Words) -> None:
    where = space("carl", "s")
    await add(database, index, where, {21: "much is said " * MOST_READ + "about a horse", 22: "a horse"})
    assert [22, 21] == await found(index, "horse", where)


async def test_a_long_question_finds_what_has_most_of_it(database: Database, index: Words) -> None:
    where = space("carl", "s")
    texts = {100 + number: " ".join(f"w{word}" for word in range(number)) for number in range(1, MOST_TERMS + 20)}
    await add(database, index, where, texts)
    question = " ".join(f"w{word}" for word in range(2 * MOST_TERMS))
    assert 100 + MOST_TERMS == (await found(index, question, where, 5))[0]


async def test_every_space_has_its_own(index: Words) -> None:
    assert ([11], []) == (await found(index, "fox", THEIRS), await found(index, "fox", space("carl", "s")))


async def test_what_was_removed_is_not_found(database: Database, index: Words) -> None:
    await remove(database, index, [2])
    assert [1] == await found(index, "fox eats")
    await remove(database, index, [])
    assert [1] == await found(index, "fox eats")


async def test_nothing_stays_in_the_index_of_what_was_removed(database: Database, index: Words) -> None:
    """Nobody would find it, and it would grow forever."""
    if not database.is_sqlite:
        pytest.skip("PostgreSQL has no index but its own")
    await remove(database, index, [*TEXTS, 11])
    query = text("SELECT count(*) AS n FROM turns_words_index WHERE turns_words_index MATCH :query")
    for words in (f'"{MINE}fox"', f'"{THEIRS}fox"', f'"{MINE}检索"'):
        assert [{"n": 0}] == [dict(row) for row in await database.read(query.bindparams(query=words))]
    assert [] == await database.read(text("SELECT * FROM turns_words_spaces"))


async def test_a_name_of_several_words_is_found_by_each_and_by_all_of_them(database: Database, index: Words) -> None:
    where = space("carl", "s")
    await add(database, index, where, {21: "set max_retries to 3", 22: "retries at most: max 3", 23: "nothing of it"})
    assert [21] == await found(index, "max_retries", where)
    assert {21, 22} == set(await found(index, "retries", where))


@pytest.mark.parametrize(
    "question",
    [
        '"fox" OR space:"1"',
        f'fox" OR space : "{THEIRS}',
        "fox NEAR(x, 2) NOT dog",
        "fox'; DROP TABLE turns_words; --",
        "fox & | ! ( :*",
        "a\0b fox",
        "\ud800 fox",
        "fox*",
    ],
)
async def test_a_question_is_words_and_nothing_else(index: Words, question: str) -> None:
    ids = await found(index, question)
    assert {1, 2} <= set(ids) <= set(TEXTS)


@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_two_are_the_same_space_only_if_all_their_parts_are(one: list[str], other: list[str]) -> None:
    assert (one == other) is (space(*one) == space(*other))
    assert space(*one).isdigit()
