"""The layer, with its books in a real Redis: what it counts, and what becomes of it when Redis dies, hangs or forgets."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from ailb.errors import RateLimited, Unavailable
from ailb.exchange import Exchange, Outcome, Reply
from ailb.secret import Secret
from ailb.testing import answers, ask, run
from ailb.usage import Usage
from middleware.ratelimit import RateLimit
from middleware.ratelimit_redis import CONNECTIONS, OPEN_AFTER, PREFIX, Shared
from middleware.ratelimit_window import BooksLost, Share, Window
from tests.middleware.redis_server import Server, serving

PATIENCE = 20.0
"""Seconds, for who should not take a loaded machine for a Redis that is lost."""


@pytest.fixture(scope="module")
def started() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(started: Server) -> Server:
    """An empty one that is up, whatever the test before did to it."""
    started.stop()
    started.start()
    return started


@asynccontextmanager
async def patient(server: Server, **options: Any) -> AsyncIterator[RateLimit]:
    made = RateLimit(**options)
    made._shared = books(server)
    async with made:
        yield made


def books(server: Server) -> Shared:
    return Shared(server.url, seconds=PATIENCE)


class Counted(Shared):
    """Says how often it was worth a try. None takes longer than `SECONDS`."""

    tries = 0

    async def _tried(self, *args: Any, **options: Any) -> Any:
        self.tries += 1
        return await super()._tried(*args, **options)


@asynccontextmanager
async def hasty(server: Server, **options: Any) -> AsyncIterator[tuple[RateLimit, Counted]]:
    """One that waits as long as it does for users."""
    made = RateLimit(redis=server.url, **options)
    made._shared = counted = Counted(server.url)
    async with made:
        yield made, counted


async def status(layer: RateLimit, text: str = "Hello", **body: Any) -> int:
    return (await run(layer, ask(text, **body), answers("Hi", usage=Usage(6, 4)))).outcome.http_status


async def window(shared: Shared, name: str) -> Window:
    (seen,) = await shared.look([Share("requests", name, 1, 1)])
    return seen


async def used(shared: Shared, kind: str) -> int:
    return (await window(shared, f"{kind}/user/anonymous")).used


async def eventually(true: Any, seconds: float = 10) -> None:
    """Waits until `true()` is."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def test_exactly_as_many_get_in_as_may_from_two_gateways(server: Server) -> None:
    async with patient(server, requests_per_minute=100) as one, patient(server, requests_per_minute=100) as other:
        seen = await asyncio.gather(*(status(either) for _ in range(250) for either in (one, other)))
    assert (100, 400) == (seen.count(200), seen.count(429))


PROCESS = """
import asyncio, sys
from ailb.secret import Secret
from ailb.testing import answers, ask, run
from middleware.ratelimit import RateLimit
from middleware.ratelimit_redis import Shared

async def main():
    layer = RateLimit(requests_per_minute=50)
    layer._shared = Shared(Secret(sys.argv[1]), seconds=20.0)
    async with layer:
        seen = await asyncio.gather(*(run(layer, ask(), answers("Hi")) for _ in range(100)))
        print(sum(one.outcome.http_status == 200 for one in seen))

asyncio.run(main())
"""


def test_two_processes_count_together(server: Server) -> None:
    command = [sys.executable, "-c", PROCESS, server.url.reveal()]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert 50 == sum(int(process.communicate(timeout=30)[0]) for process in both)


async def test_headers_and_refusals_are_as_in_memory(server: Server) -> None:
    limits: dict[str, Any] = {"requests_per_minute": 1, "tokens_per_minute": 100}
    async with patient(server, **limits) as shared:
        exchanges = [ask("x" * 40) for _ in range(2)]
        results = [await run(shared, exchange, answers("Hi", usage=Usage(6, 4))) for exchange in exchanges]
    told = exchanges[0].reply_headers
    assert ("0", "90") == (told["x-ratelimit-remaining-requests"], told["x-ratelimit-remaining-tokens"])
    refusal = results[1].refusal
    assert isinstance(refusal, RateLimited)
    assert 60 <= int(refusal.headers["retry-after"]) <= 120
    assert "90" == refusal.headers["x-ratelimit-remaining-tokens"]


@pytest.mark.parametrize(("cap", "truth"), [(80, 10), (2, 50)])
async def test_tokens_settle_to_the_truth(server: Server, cap: int, truth: int) -> None:
    async with patient(server, tokens_per_minute=1000) as gateway:
        await run(gateway, ask("x" * 40, max_tokens=cap), answers("Hi", usage=Usage(truth, 0)))
        assert gateway._shared is not None
        assert truth == await used(gateway._shared, "tokens")


async def test_what_was_taken_too_long_ago_is_not_given_back(server: Server) -> None:
    async with books(server) as shared:
        await shared.take("a", 100, 50)
        await shared.correct("a", -20, 500.0)
        assert 50 == (await window(shared, "a")).used
        await shared.correct("a", -80, 0.0)
        assert 0 == (await window(shared, "a")).used


async def test_it_goes_back_to_the_minute_in_which_it_was_taken(server: Server) -> None:
    server.say(f"SET {PREFIX}:{{a}}/-1 50 PX 50000")
    server.say(f"SET {PREFIX}:{{a}} 20 PX 110000")
    async with books(server) as shared:
        await shared.correct("a", -30, 30.0)  # the current minute is ten seconds old
        await shared.correct("a", -5, 5.0)
        seen = await window(shared, "a")
    assert (20, 15) == (seen.previous, seen.current)


@pytest.mark.parametrize("limits", [{"tokens_per_minute": 5}, {"max_parallel": 1}])
async def test_who_is_refused_has_spent_nothing(server: Server, limits: dict[str, int]) -> None:
    async with patient(server, requests_per_minute=10, **limits) as gateway:
        assert gateway._shared is not None
        await gateway._shared.enter("user/anonymous", 1, "somebody")
        assert 429 == await status(gateway, "x" * 400)
        assert 0 == await used(gateway._shared, "requests")
        assert b":1" in server.say(f"ZCARD {PREFIX}:slots:user/anonymous")


async def test_who_loses_the_race_gets_all_back(server: Server) -> None:
    """All look at once and see that they fit; then most of them do not."""
    async with patient(server, requests_per_minute=1000, tokens_per_minute=30, max_parallel=1000) as gateway:
        seen = await asyncio.gather(*(status(gateway, "x" * 40) for _ in range(20)))
        assert gateway._shared is not None
        assert 3 == seen.count(200)
        assert (3, 30) == (await used(gateway._shared, "requests"), await used(gateway._shared, "tokens"))
    assert b":0" in server.say(f"ZCARD {PREFIX}:slots:user/anonymous")


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233])
async def test_slots_come_back_wherever_it_is_cancelled(server: Server, steps: int) -> None:
    async with patient(server, requests_per_minute=10, tokens_per_minute=1000, max_parallel=1) as gateway:
        exchange = ask()
        task = asyncio.ensure_future(gateway(exchange, answers("Hi")))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        for settler in reversed(exchange.settlers):
            waiting = settler(Outcome("disconnected", 200, 0.0))
            assert waiting is not None
            await waiting
        assert b":0" in server.say(f"ZCARD {PREFIX}:slots:user/anonymous")
        assert gateway._shared is not None
        assert {} == gateway._shared._held


async def test_the_slots_of_a_process_that_died_come_back(server: Server) -> None:
    async with books(server) as dead, books(server) as alive:
        assert await dead.enter("a", 1, "x")
        assert not await alive.enter("a", 1, "x")
        server.say(f"ZADD {PREFIX}:slots:a 1 {dead._process}-x")  # its lease is over
        assert await alive.enter("a", 1, "x")


async def test_leases_are_renewed_and_put_back_after_a_flush(server: Server) -> None:
    async with books(server) as shared:
        assert await shared.enter("a", 1, "x")
        server.say("FLUSHALL")
        await shared.renew()
        assert not await shared.enter("a", 1, "y")


async def test_slots_that_are_held_are_there_again_when_redis_is(server: Server) -> None:
    async with books(server) as shared:
        assert await shared.enter("a", 1, "x")
        server.stop()
        for _ in range(OPEN_AFTER):
            with pytest.raises(BooksLost):
                await window(shared, "a")
        server.start()
        await eventually(lambda: shared.up)
        await eventually(lambda: b":1" in server.say(f"ZCARD {PREFIX}:slots:a"))


class Stubborn(Shared):
    """Loses a cancellation, as the client does now and then."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.url, seconds=PATIENCE)
        self.renewing = asyncio.Event()

    async def renew(self) -> None:
        self.renewing.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def test_it_comes_to_an_end_whatever_becomes_of_a_cancellation(server: Server) -> None:
    async with Stubborn(server) as shared:
        shared._failures = OPEN_AFTER
        await shared.renewing.wait()
    assert shared._tending is not None
    assert shared._tending.done()


async def test_after_a_flush_the_limits_begin_anew(server: Server) -> None:
    async with patient(server, requests_per_minute=1) as gateway:
        assert [200, 429] == [await status(gateway), await status(gateway)]
        server.say("FLUSHALL")
        server.say("SCRIPT FLUSH")
        assert [200, 429] == [await status(gateway), await status(gateway)]


async def test_after_a_restart_it_goes_on_at_once(server: Server) -> None:
    async with patient(server, requests_per_minute=1, when_redis_is_down="refuse") as gateway:
        assert [200, 429] == [await status(gateway), await status(gateway)]
        server.stop()
        server.start()
        assert [200, 429] == [await status(gateway), await status(gateway)]


@pytest.mark.parametrize(("mode", "expected"), [("go_on", [200, 200, 429]), ("refuse", [503, 503, 503])])
@pytest.mark.parametrize("fault", ["dead", "hung"])
async def test_without_redis_it_does_as_configured_and_waits_for_nothing(
    server: Server, mode: Any, expected: list[int], fault: str
) -> None:
    async with hasty(server, requests_per_minute=2, when_redis_is_down=mode) as (gateway, shared):
        if fault == "dead":
            server.stop()
        else:
            server.signal(signal.SIGSTOP)
        assert expected == [await status(gateway) for _ in range(OPEN_AFTER)]
        assert not shared.up
        with pytest.raises(BooksLost):
            window(shared, "a").send(None)  # which is where it would wait
        assert {expected[-1]} == {await status(gateway) for _ in range(50)}
        if fault == "dead":
            server.start()
        else:
            server.signal(signal.SIGCONT)
        await eventually(lambda: shared.up)
        async with asyncio.timeout(PATIENCE):
            while await status(gateway) != 200:
                pass  # A loaded machine takes its time, which is too long for this one.


async def test_many_at_once_wait_for_a_hung_redis_no_longer_than_one(server: Server) -> None:
    async with hasty(server, requests_per_minute=1000) as (gateway, shared):
        server.signal(signal.SIGSTOP)
        assert {200} == set(await asyncio.gather(*(status(gateway) for _ in range(300))))
    assert OPEN_AFTER <= shared.tries < CONNECTIONS + OPEN_AFTER  # each failure but the last lets another one try


async def test_more_at_once_than_there_are_connections_wait_their_turn(server: Server) -> None:
    async with patient(server, requests_per_minute=100) as gateway:
        seen = await asyncio.gather(*(status(gateway) for _ in range(500)))
    assert (100, 400) == (seen.count(200), seen.count(429))


async def test_nobody_without_a_limit_is_refused(server: Server) -> None:
    server.stop()
    async with patient(server, when_redis_is_down="refuse") as gateway:
        assert 200 == await status(gateway)


async def test_what_is_held_when_redis_goes_is_given_up(server: Server) -> None:
    async with patient(server, requests_per_minute=9, tokens_per_minute=1000, max_parallel=1) as gateway:

        async def innermost(exchange: Exchange) -> Reply:
            server.stop()
            return await answers("Hi")(exchange)

        result = await run(gateway, ask(max_tokens=50), innermost)
        assert ("Hi", {}) == (result.text, gateway._shared._held if gateway._shared else None)


async def test_the_refusal_says_when_to_come_back() -> None:
    async with RateLimit(redis=Secret("redis://127.0.0.1:1/0"), requests_per_minute=1, when_redis_is_down="refuse") as gateway:
        refusal = (await run(gateway, ask(), answers("Hi"))).refusal
    assert isinstance(refusal, Unavailable)
    assert "1" == refusal.headers["retry-after"]


async def test_what_is_only_explained_counts_the_slots_of_all_processes_that_live(server: Server) -> None:
    async with patient(server, max_parallel=2) as one, patient(server, max_parallel=2) as other:
        server.say(f"ZADD {PREFIX}:slots:user/anonymous 1 dead-x")  # its lease is over

        async def beside(exchange: Exchange) -> Reply:
            dry = ask()
            dry.dry = True
            assert None is (await run(other, dry, answers("Hi"))).refusal
            assert [("parallel", 1)] == [(limit["kind"], limit["left"]) for limit in dry.record["limits"]()]
            return await answers("Hi")(exchange)

        assert None is (await run(one, ask(), beside)).refusal
