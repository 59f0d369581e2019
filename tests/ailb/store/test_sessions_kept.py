import pytest
from sqlalchemy import text

from ailb.errors import NotFound
from ailb.sessions import Near, Session
from ailb.store.database import Database
from ailb.store.sessions import StoredSessions
from ailb.store.sessions_kept import CHUNK
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.talking import ANN, BOB, DAY, LIMITS, numbers, say


@pytest.fixture
def sessions(database: Database) -> StoredSessions:
    return StoredSessions(database)


async def counts(database: Database) -> list[int]:
    """Rows of sessions, turns and words."""
    return [int((await database.read(text(f"SELECT count(*) AS n FROM {name}")))[0]["n"]) for name in ("sessions", "turns", "turns_words")]


async def test_what_is_forgotten_is_gone_everywhere(sessions: StoredSessions, database: Database) -> None:
    for session in (ANN, BOB):
        for number in range(1, 4):
            await say(sessions, f"canary {number}", session=session)
            await sessions.embed(session, number, Near("e", [1.0]))
    await sessions.forget(ANN)
    assert [1, 3, 3] == await counts(database)
    assert ([], [1, 2, 3]) == (await numbers(sessions), await numbers(sessions, BOB))
    assert [] == await sessions.recall(ANN, "canary", 100, 10, Near("e", [1.0]))
    for gone in (ANN, Session("ann", "never"), Session("carl", "s")):
        with pytest.raises(NotFound, match="no such session"):
            await sessions.forget(gone)
        with pytest.raises(NotFound, match="no such session"):
            await sessions.export(gone)


async def test_what_is_too_old_is_pruned_with_its_words(sessions: StoredSessions, database: Database, clock: SetClock) -> None:
    await say(sessions, "oldest canary", session=BOB)
    await say(sessions, "older canary")
    clock.now += 20 * DAY
    await say(sessions, "newer parrot")
    clock.now += 11 * DAY
    assert 2 == await sessions.prune(30 * DAY)
    assert [1, 1, 1] == await counts(database)
    assert [2] == await numbers(sessions)
    assert [] == await sessions.recall(ANN, "canary", 100, 10)
    assert 0 == await sessions.prune(30 * DAY)


async def test_pruning_goes_through_all_of_them(sessions: StoredSessions, database: Database, clock: SetClock) -> None:
    async def fill(connection: object) -> None:
        columns = "user_id, session_id, created_at, updated_at, begun, bytes, summary"
        await connection.exec_driver_sql(  # type: ignore[attr-defined]
            f"INSERT INTO sessions ({columns}) SELECT 'ann', 's' || n, 0, 0, 0, 0, '' FROM"
            f" (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {CHUNK + 20}) SELECT n FROM c) AS many"
        )

    await database.write(fill)
    assert CHUNK + 20 == await sessions.prune(DAY)
    assert [0, 0, 0] == await counts(database)


async def test_sessions_are_listed_the_one_used_last_first(sessions: StoredSessions, clock: SetClock) -> None:
    for id in ("a", "b", "a"):
        clock.now += 1
        await say(sessions, "hi", session=Session("ann", id))
    await say(sessions, "hi", session=Session("bob", "c"))
    await sessions.begin(Session("ann", "empty"), LIMITS)
    rows, total = await sessions.page("ann", limit=1, offset=0)
    assert ([("a", 2)], 2) == ([(row["session_id"], row["turns"]) for row in rows], total)
    assert ["b"] == [row["session_id"] for row in (await sessions.page("ann", limit=5, offset=1))[0]]
    assert 3 == (await sessions.page(None, limit=10, offset=0))[1]


async def test_all_of_a_session_can_be_exported(sessions: StoredSessions) -> None:
    for number in range(150):
        await say(sessions, f"turn {number}")
    row, turns = await sessions.export(ANN)
    assert ("s", list(range(1, 151))) == (row["session_id"], [turn["number"] for turn in turns])
