import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.errors import Conflict, Unavailable
from ailb.exchange import Exchange, Reply
from ailb.replays import Claim, Stored
from ailb.secret import Secret
from ailb.store.database import Database
from ailb.store.replays import PRUNE_SECONDS, StoredReplays
from ailb.store.schema import PROCESSES, REPLAYS
from ailb.testing import answers, ask, run
from middleware.idempotency import HEADER, Idempotency
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.made import patient

DAY = 86_400.0
CLAIM = Claim("chat:key:1", "a", b"1" * 32)
OTHER = Claim("chat:key:1", "a", b"2" * 32)
UNDER_WAY = Stored(done=False)


@asynccontextmanager
async def another(url: Secret, clock: SetClock, process_id: str) -> AsyncIterator[StoredReplays]:
    """The replays of another process on the same database."""
    async with patient(url, clock) as database:
        await database.prepare()
        yield StoredReplays(database, process_id)


async def seen(database: Database, *ids: str) -> None:
    """Those processes are alive, as of now."""

    async def work(connection: AsyncConnection) -> None:
        for id in ids:
            await connection.execute(insert(PROCESSES).values(id=id, started_at=0, seen_at=database.micros()))

    await database.write(work)


async def died(database: Database, id: str) -> None:
    """As the sweeper has it."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(delete(PROCESSES).where(PROCESSES.c.id == id))

    await database.write(work)


async def rows(database: Database) -> int:
    (row,) = await database.read(select(func.count().label("number")).select_from(REPLAYS))
    return int(row["number"])


async def test_a_claim_is_done_once_and_then_told(database: Database) -> None:
    replays = StoredReplays(database, "p1")
    begun = [await replays.begin(CLAIM, DAY) for _ in range(2)]
    await replays.finish(CLAIM, b"\x00Hi")
    assert [None, UNDER_WAY, Stored(True, b"\x00Hi")] == [*begun, await replays.begin(CLAIM, DAY)]
    assert await replays.begin(Claim("chat:key:2", "a", b"2" * 32), DAY) is None


async def test_a_name_stands_for_one_request(database: Database) -> None:
    replays = StoredReplays(database, "p1")
    await replays.begin(CLAIM, DAY)
    with pytest.raises(Conflict):
        await replays.begin(OTHER, DAY)
    await replays.finish(CLAIM, b"Hi")
    with pytest.raises(Conflict, match="another request"):
        await replays.begin(OTHER, DAY)
    assert Stored(True, b"Hi") == await replays.begin(CLAIM, DAY)


async def test_what_was_forgotten_may_be_done_again(database: Database) -> None:
    replays = StoredReplays(database, "p1")
    await replays.begin(CLAIM, DAY)
    await replays.forget(CLAIM)
    assert (0, None) == (await rows(database), await replays.begin(OTHER, DAY))


async def test_what_was_too_large_is_known_to_be_done(database: Database) -> None:
    replays = StoredReplays(database, "p1")
    await replays.begin(CLAIM, DAY)
    await replays.finish(CLAIM, None)
    assert Stored(done=True) == await replays.begin(CLAIM, DAY)


async def test_of_many_at_once_one_is_at_it(database: Database) -> None:
    replays = StoredReplays(database, "p1")
    begun = await asyncio.gather(*(replays.begin(CLAIM, DAY) for _ in range(20)))
    assert [None, *[UNDER_WAY] * 19] == begun


async def test_of_two_processes_one_is_at_it(database: Database, url: Secret, clock: SetClock) -> None:
    await seen(database, "p1", "p2")
    async with another(url, clock, "p2") as theirs:
        ours = StoredReplays(database, "p1")
        for number in range(20):
            claim = Claim("ann", str(number), b"1" * 32)
            begun = await asyncio.gather(ours.begin(claim, DAY), theirs.begin(claim, DAY))
            assert 1 == begun.count(None)
            assert 1 == begun.count(UNDER_WAY)


async def test_waiting_ends_when_it_is_over_here(database: Database) -> None:
    replays = StoredReplays(database, "p1")
    await replays.begin(CLAIM, DAY)
    waiting = asyncio.create_task(replays.wait(CLAIM, 60))
    await replays.wait(CLAIM, 0.01)
    assert not waiting.done()
    await replays.finish(CLAIM, b"Hi")
    await waiting


async def test_what_another_process_did_is_seen(database: Database, url: Secret, clock: SetClock) -> None:
    await seen(database, "p1", "p2")
    async with another(url, clock, "p2") as theirs:
        ours = StoredReplays(database, "p1")
        await theirs.begin(CLAIM, DAY)
        assert UNDER_WAY == await ours.begin(CLAIM, DAY)
        with pytest.raises(Conflict):
            await ours.begin(OTHER, DAY)
        await ours.wait(CLAIM, 60)
        await theirs.finish(CLAIM, b"Hi")
        assert Stored(True, b"Hi") == await ours.begin(CLAIM, DAY)


async def test_what_a_dead_process_was_at_is_taken_over_and_stays_so(database: Database, url: Secret, clock: SetClock) -> None:
    await seen(database, "p1", "p2")
    async with another(url, clock, "p2") as theirs:
        ours = StoredReplays(database, "p1")
        await theirs.begin(CLAIM, DAY)
        assert UNDER_WAY == await ours.begin(CLAIM, DAY)
        await died(database, "p2")
        assert await ours.begin(OTHER, DAY) is None
        await theirs.finish(CLAIM, b"late")
        await ours.finish(OTHER, b"Hi")
        assert Stored(True, b"Hi") == await ours.begin(OTHER, DAY)


async def test_what_a_dead_process_finished_is_kept(database: Database) -> None:
    before = StoredReplays(database, "p1")
    await before.begin(CLAIM, DAY)
    await before.finish(CLAIM, b"Hi")
    assert Stored(True, b"Hi") == await StoredReplays(database, "p2").begin(CLAIM, DAY)


async def test_what_is_too_old_is_not_there_any_more(database: Database, clock: SetClock) -> None:
    replays = StoredReplays(database, "p1")
    for name in ("a", "b", "c"):
        claim = Claim("ann", name, b"1" * 32)
        await replays.begin(claim, PRUNE_SECONDS)
        await replays.finish(claim, b"Hi")
    clock.now += PRUNE_SECONDS - 1
    assert Stored(True, b"Hi") == await replays.begin(claim, PRUNE_SECONDS)
    clock.now += 1
    assert await replays.begin(Claim("ann", "c", b"2" * 32), PRUNE_SECONDS) is None
    assert 1 == await rows(database)


async def test_what_could_not_be_written_down_may_be_done_again(database: Database) -> None:
    replays = StoredReplays(database, "p1")
    await replays.begin(CLAIM, DAY)
    database.ready = False
    for failing in (replays.finish(CLAIM, b"Hi"), replays.begin(OTHER, DAY)):
        with pytest.raises(Unavailable):
            await failing
    database.ready = True
    assert await replays.begin(CLAIM, DAY) is None


async def test_one_who_left_while_he_began_is_in_nobodys_way(database: Database) -> None:
    replays = StoredReplays(database, "p1")
    leaving = asyncio.create_task(replays.begin(CLAIM, DAY))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await replays.begin(OTHER, DAY) is None


async def test_a_finished_row_is_never_written_over(database: Database) -> None:
    replays = StoredReplays(database, "p1")
    await replays.begin(CLAIM, DAY)
    await replays.finish(CLAIM, b"Hi")
    await replays.finish(CLAIM, b"Bye")
    await replays.forget(CLAIM)
    assert Stored(True, b"Hi") == await replays.begin(CLAIM, DAY)


def asks(stream: bool) -> Exchange:
    return ask(headers={HEADER: "a"}, stream=stream)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_outlives_the_process(database: Database, url: Secret, clock: SetClock, stream: bool) -> None:
    async def never(exchange: Exchange) -> Reply:
        raise AssertionError("asked again")

    first = await run(Idempotency(StoredReplays(database, "p1")), asks(stream), answers("Hi", " there"))
    async with another(url, clock, "p2") as later:
        second = await run(Idempotency(later), asks(stream), never)
    assert [event.raw for event in first.events] == [event.raw for event in second.events]
    assert ("Hi there", True) == (second.text, second.exchange.notes["replayed"])


async def test_who_waits_for_another_process_gets_its_answer(database: Database, url: Secret, clock: SetClock) -> None:
    await seen(database, "p1", "p2")
    started, free = asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> Reply:
        started.set()
        await free.wait()
        return await answers("Hi")(exchange)

    async with another(url, clock, "p2") as theirs:
        first = asyncio.create_task(run(Idempotency(theirs), asks(False), slow))
        await started.wait()
        second = asyncio.create_task(run(Idempotency(StoredReplays(database, "p1")), asks(False), answers("Bye")))
        free.set()
        assert ("Hi", "Hi") == ((await first).text, (await second).text)
