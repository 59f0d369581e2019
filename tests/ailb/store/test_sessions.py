import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from ailb.errors import Unavailable
from ailb.secret import Secret
from ailb.sessions import Near, Past, Session
from ailb.store.database import Database
from ailb.store.sessions import StoredSessions
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.made import patient
from tests.ailb.store.talking import ANN, BOB, LIMITS, numbers, say, turn


@pytest.fixture
def sessions(database: Database) -> StoredSessions:
    return StoredSessions(database)


@asynccontextmanager
async def another(url: Secret, clock: SetClock) -> AsyncIterator[StoredSessions]:
    """Those of another process on the same database."""
    async with patient(url, clock) as database:
        await database.prepare()
        yield StoredSessions(database)


async def recalled(sessions: StoredSessions, question: str, before: int = 100, most: int = 5, near: Near | None = None) -> list[int]:
    return [turn.number for turn in await sessions.recall(ANN, question, before, most, near)]


async def test_what_was_said_is_there_as_it_was(sessions: StoredSessions) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "\0 Häß 检"},
        {"role": "assistant", "content": None, "tool_calls": [call], "x": 1 << 70},
    ]
    begun = await sessions.begin(ANN, LIMITS)
    said = replace(turn(begun.number, begun.at, ""), messages=messages, cut=True)
    assert await sessions.remember(ANN, said, LIMITS)
    assert Past([replace(said, messages=[messages[0], {**messages[1], "x": float(1 << 70)}])]) == await sessions.past(ANN, 100)


async def test_nobody_said_anything_before_the_first_time(sessions: StoredSessions) -> None:
    assert Past() == await sessions.past(ANN, 100)
    assert [] == await recalled(sessions, "hello")


async def test_the_last_turns_that_fit_and_the_very_last_in_any_case(sessions: StoredSessions) -> None:
    for tokens in (10, 10, 10, 50):
        await say(sessions, "hi", tokens=tokens)
    expected = [(0, [4]), (59, [4]), (60, [3, 4]), (79, [2, 3, 4]), (80, [1, 2, 3, 4])]
    assert expected == [(tokens, await numbers(sessions, tokens=tokens)) for tokens, _ in expected]


async def test_turns_stand_in_the_order_in_which_they_began(sessions: StoredSessions) -> None:
    begun = await asyncio.gather(*(sessions.begin(ANN, LIMITS) for _ in range(5)))
    assert [1, 2, 3, 4, 5] == [one.number for one in begun]
    await asyncio.gather(*(sessions.remember(ANN, turn(one.number, one.at, "hi"), LIMITS) for one in reversed(begun)))
    assert [1, 2, 3, 4, 5] == await numbers(sessions)


async def test_a_number_is_remembered_once(sessions: StoredSessions) -> None:
    first = await say(sessions, "one")
    assert not await sessions.remember(ANN, replace(first, cut=True), LIMITS)
    assert [first] == (await sessions.past(ANN, 100)).turns


async def test_a_session_is_its_users(sessions: StoredSessions) -> None:
    await say(sessions, "my canary is yellow")
    await say(sessions, "my parrot is green", session=BOB)
    (mine,) = (await sessions.past(ANN, 100)).turns
    assert "yellow" in mine.text
    for question in ("canary", "parrot", 'canary" OR space : "*', "yellow green"):
        assert all("green" not in turn.text for turn in await sessions.recall(ANN, question, 100, 10))
        assert all("yellow" not in turn.text for turn in await sessions.recall(BOB, question, 100, 10))
    assert Past() == await sessions.past(Session("anns", ""), 100) == await sessions.past(Session("", "anns"), 100)


async def test_what_belongs_to_the_question_is_recalled_best_first(sessions: StoredSessions) -> None:
    for text in ("the fox is red", "lunch was good", "a red fox eats a red apple in the red sun", "the weather"):
        await say(sessions, text, "yes")
        await say(sessions, "go on", "no")
    assert {1, 5} <= set(await recalled(sessions, "What does a red fox eat?", most=4))
    assert 5 == (await recalled(sessions, "What does a red fox eat?"))[0]
    assert 1 == len(await recalled(sessions, "red fox", most=1))
    assert 5 not in await recalled(sessions, "red fox", before=5)
    assert [] == await recalled(sessions, "red fox", before=1)


async def test_a_turn_is_found_by_the_words_of_the_one_before(sessions: StoredSessions) -> None:
    await say(sessions, "I have a zebra", "How nice.")
    await say(sessions, "He is called Max", "A good name.")
    assert {1, 2} == set(await recalled(sessions, "the zebra's name"))


@pytest.mark.parametrize("other", ["other", "mine"])
async def test_meaning_counts_beside_words(sessions: StoredSessions, other: str) -> None:
    for number, (text, vector) in enumerate([("a fox", [0.0, 1.0]), ("a vixen", [1.0, 0.0]), ("a stone", [0.6, 0.8])], 1):
        await say(sessions, text, "")
        await sessions.embed(ANN, number, Near("mine" if number < 3 else other, vector))
    found = await recalled(sessions, "vulpine", near=Near("mine", [1.0, 0.0]))
    assert ([2, 1] if other == "other" else [2, 3, 1]) == found
    assert [3, 2] == (await recalled(sessions, "stone", near=Near("mine", [0.8, 0.6])))[:2]
    assert [2] == await recalled(sessions, "vulpine", before=3, most=1, near=Near("mine", [1.0, 0.0]))


async def test_turns_that_an_embedder_has_not_seen_are_told_the_last_ones_first(sessions: StoredSessions) -> None:
    for text in ("a fox", "a vixen", "...", "a stone", "a tree"):
        await say(sessions, text, "")
    await say(sessions, "another's", "", session=BOB)
    for number, near in ((2, Near("mine", [1.0, 0.0])), (3, Near("mine", ())), (4, Near("other", [0.6, 0.8]))):
        await sessions.embed(ANN, number, near)
    assert [5, 4, 1] == [turn.number for turn in await sessions.unembedded(ANN, "mine", 9)]
    assert [5, 4] == [turn.number for turn in await sessions.unembedded(ANN, "mine", 2)]
    assert [2] == await recalled(sessions, "vulpine", near=Near("mine", [1.0, 0.0]))


async def test_a_summary_is_of_ever_more_turns(sessions: StoredSessions) -> None:
    turns = [await say(sessions, str(number)) for number in range(3)]
    await sessions.summarize(ANN, "two\0", turns[1])
    await sessions.summarize(ANN, "one", turns[0])
    past = await sessions.past(ANN, 100)
    assert ("two", 2) == (past.summary, past.summarized)
    assert [1, 2] == [turn.number for turn in await sessions.between(ANN, 0, 3, 5)]
    assert [2] == [turn.number for turn in await sessions.between(ANN, 1, 4, 1)]


async def test_the_oldest_go_when_there_are_too_many(sessions: StoredSessions) -> None:
    limits = replace(LIMITS, turns=3)
    for number in range(5):
        await say(sessions, f"word{number}", limits=limits)
    assert [3, 4, 5] == await numbers(sessions)
    assert ([], [5]) == (await recalled(sessions, "word0 word1"), await recalled(sessions, "word4"))


async def test_the_oldest_go_when_they_are_too_large(sessions: StoredSessions) -> None:
    limits = replace(LIMITS, bytes=1000)
    for number in range(4):
        await say(sessions, f"word{number} {'x' * 300}", limits=limits)
    assert [3, 4] == await numbers(sessions)
    (row,), _ = await sessions.page("ann", limit=10, offset=0)
    assert (True, 2) == (500 < row["bytes"] <= 1000, row["turns"])
    begun = await sessions.begin(ANN, limits)
    assert not await sessions.remember(ANN, turn(begun.number, begun.at, "x" * 1000), limits)
    assert [3, 4] == await numbers(sessions)


async def test_the_sessions_unused_for_longest_go_when_a_user_has_too_many(sessions: StoredSessions, clock: SetClock) -> None:
    limits = replace(LIMITS, sessions=2)
    for id in ("a", "b", "a", "c"):
        clock.now += 1
        await say(sessions, "hi", session=Session("ann", id), limits=limits)
    await say(sessions, "hi", session=BOB, limits=limits)
    assert ["c", "a"] == [row["session_id"] for row in (await sessions.page("ann", limit=10, offset=0))[0]]


async def test_what_was_under_way_when_its_session_was_forgotten_is_not_remembered(sessions: StoredSessions, clock: SetClock) -> None:
    await say(sessions, "one")
    late = await sessions.begin(ANN, LIMITS)
    await sessions.forget(ANN)
    assert not await sessions.remember(ANN, turn(late.number, late.at, "late"), LIMITS)
    clock.now += 1
    for _ in range(2):
        await say(sessions, "new")
    assert not await sessions.remember(ANN, turn(late.number, late.at, "late"), LIMITS)
    await sessions.summarize(ANN, "of the old one", turn(late.number, late.at, ""))
    past = await sessions.past(ANN, 100)
    assert (["new\nI see."] * 2, "") == ([turn.text for turn in past.turns], past.summary)


async def test_what_another_process_says_is_known_at_once(
    sessions: StoredSessions, url: Secret, clock: SetClock, database: Database
) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite is for one process")
    async with another(url, clock) as theirs:
        for number in range(10):
            begun = await theirs.begin(ANN, LIMITS)
            written = asyncio.create_task(theirs.remember(ANN, turn(begun.number, begun.at, "hi"), LIMITS))
            assert number + 1 == len(await numbers(sessions))
            assert await written


async def test_the_number_of_a_turn_that_came_to_nothing_is_the_next_ones(sessions: StoredSessions) -> None:
    first, second = await sessions.begin(ANN, LIMITS), await sessions.begin(ANN, LIMITS)
    await sessions.abandon(ANN, first)
    assert 3 == (await sessions.begin(ANN, LIMITS)).number
    await sessions.abandon(ANN, replace(second, number=3))
    assert 3 == (await sessions.begin(ANN, LIMITS)).number


async def test_a_turn_elsewhere_that_comes_to_nothing_is_not_waited_for_long(
    sessions: StoredSessions, url: Secret, clock: SetClock
) -> None:
    async with another(url, clock) as theirs:
        await say(theirs, "one")
        await theirs.begin(ANN, LIMITS)
        assert [1] == await numbers(sessions)
        await say(sessions, "three")
        assert [1, 3] == await numbers(theirs)


async def test_without_its_database_nothing_works_and_nothing_hangs(sessions: StoredSessions, database: Database) -> None:
    database.ready = False
    with pytest.raises(Unavailable):
        sessions.begin(ANN, LIMITS)
    for failing in (sessions.past(ANN, 1), sessions.recall(ANN, "q", 9, 1), sessions.forget(ANN), sessions.active(1), sessions.prune(1)):
        with pytest.raises(Unavailable):
            await failing


async def test_it_is_known_how_many_are_in_use(sessions: StoredSessions, clock: SetClock) -> None:
    await say(sessions, "hi")
    clock.now += 100
    await say(sessions, "hi", session=BOB)
    assert [2, 1] == [await sessions.active(seconds) for seconds in (300, 50)]
