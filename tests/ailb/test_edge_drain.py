"""What the edge does where a provider's answers are read on after their client left."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.clients.chat import Chat
from ailb.dialect import Event
from ailb.edge import Edge
from ailb.errors import Unavailable, UpstreamBroken
from ailb.exchange import Attempt, Drain, Exchange, Reply
from ailb.stack import Next
from ailb.usage import Usage
from tests.ailb.serving import SOON, Client, Upstream, said, snapshot, started

LONG = Drain(seconds=SOON * 10, bytes=1 << 30)
USAGE = Event.chunk({"choices": [], "usage": {}}, Usage(7, 9), hidden=True)


class Drained(Upstream):
    """What the client's leaving cancels is the first thing that the script waits for."""

    def __init__(self, *steps: Any, drain: Drain = LONG) -> None:
        super().__init__(*steps)
        self.drain = drain
        self.settled = asyncio.Event()

    async def __call__(self, exchange: Exchange, attempt: Attempt) -> Reply:
        attempt.drain = self.drain
        self.exchange = exchange
        exchange.on_settle(lambda outcome: self.settled.set())
        return await super().__call__(exchange, attempt)


async def edge(upstream: Drained, *layers: Any) -> tuple[Edge, Any]:
    gateway = await started(snapshot(upstream, layers))
    return Edge(Chat(), gateway), gateway


async def test_the_rest_is_read_and_only_then_it_is_settled() -> None:
    more = asyncio.Event()
    upstream = Drained(said("Hel"), asyncio.Event(), more, said("lo"), USAGE)
    app, gateway = await edge(upstream)
    async with Client(app, stream=True) as client:
        await client.until(b"Hel")
        client.left.set()
        while upstream.cancelled == 0:
            await asyncio.sleep(0)
        assert (0, False) == (upstream.closed, upstream.settled.is_set())
        more.set()
    assert upstream.settled.is_set()
    assert ("disconnected", Usage(7, 9), 1) == (upstream.outcome.status, upstream.outcome.usage, upstream.closed)
    assert gateway.serving == set()
    assert b"lo" not in client.body


@pytest.mark.parametrize("end", [Drain(0.02, 1 << 30), Drain(SOON, 1)])
async def test_it_is_read_within_bounds(end: Drain) -> None:
    upstream = Drained(said("Hel"), asyncio.Event(), said("lo"), asyncio.Event(), USAGE, drain=end)
    app, _ = await edge(upstream)
    async with Client(app, stream=True) as client:
        await client.until(b"Hel")
        client.left.set()
    assert ("disconnected", None, 1) == (upstream.outcome.status, upstream.outcome.usage, upstream.closed)


async def test_a_gateway_that_ends_does_not_read_on() -> None:
    upstream = Drained(said("Hel"), asyncio.Event(), asyncio.Event(), USAGE)
    app, gateway = await edge(upstream)
    async with Client(app, stream=True) as client:
        await client.until(b"Hel")
        client.left.set()
        while upstream.cancelled == 0:
            await asyncio.sleep(0)
        (service,) = gateway.serving
        while not upstream.settled.is_set():
            service.cut(Unavailable("shutting down"))
            await asyncio.sleep(0)
    assert ("disconnected", 1) == (upstream.outcome.status, upstream.closed)


async def test_a_task_that_is_cancelled_meanwhile_takes_nothing_with_it() -> None:
    more = asyncio.Event()
    upstream = Drained(said("Hel"), asyncio.Event(), more, USAGE)
    app, gateway = await edge(upstream)
    async with Client(app, stream=True) as client:
        await client.until(b"Hel")
        client.left.set()
        while upstream.cancelled == 0:
            await asyncio.sleep(0)
        assert client.task is not None
        client.task.cancel()
        await asyncio.wait([client.task], timeout=SOON)
        more.set()
        await asyncio.wait_for(upstream.settled.wait(), SOON)
        await gateway.stop()
    assert (Usage(7, 9), 1) == (upstream.outcome.usage, upstream.closed)


@pytest.mark.parametrize("steps", [[UpstreamBroken("cut")], [said("lo"), ValueError("a bug")]])
async def test_what_goes_wrong_meanwhile_ends_it(steps: list[Any]) -> None:
    more = asyncio.Event()
    upstream = Drained(said("Hel"), asyncio.Event(), more, *steps)
    app, _ = await edge(upstream)
    with capture_logs():
        async with Client(app, stream=True) as client:
            await client.until(b"Hel")
            client.left.set()
            more.set()
    assert ("disconnected", 1) == (upstream.outcome.status, upstream.closed)


async def test_what_the_client_got_to_the_end_of_is_not_read_on() -> None:
    upstream = Drained(said("Hel"), USAGE)
    app, _ = await edge(upstream)
    client = await Client(app, stream=True).run()
    assert client.finished
    assert ("complete", 1) == (upstream.outcome.status, upstream.closed)


async def test_the_layers_see_what_the_client_does_not() -> None:
    seen: list[str] = []

    class Seeing:
        async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
            reply = await call_next(exchange)
            reply.each(lambda event: seen.append(event.text) or event)  # type: ignore[func-returns-value]
            return reply

    more = asyncio.Event()
    upstream = Drained(said("Hel"), asyncio.Event(), more, said("lo"))
    app, _ = await edge(upstream, Seeing())
    async with Client(app, stream=True) as client:
        await client.until(b"Hel")
        client.left.set()
        while upstream.cancelled == 0:
            await asyncio.sleep(0)
        more.set()
    assert ["Hel", "lo"] == seen


WHOLE = Event.whole({"id": "c", "choices": [{"index": 0, "message": {"content": "Hi"}}]}, Usage(7, 9))


class Turn:
    """A step that takes one turn of the loop, and says that so many bytes came."""

    def __init__(self, upstream: Drained, size: int) -> None:
        self.upstream = upstream
        self.size = size

    async def wait(self) -> None:
        assert self.upstream.exchange.unheard is not None
        self.upstream.exchange.unheard(self.size)
        await asyncio.sleep(0)


async def left(client: Client, upstream: Drained) -> None:
    """Returns when the gateway has seen that the client hung up before anything of an answer was there."""
    await asyncio.wait_for(upstream.entered.wait(), SOON)
    client.left.set()
    while upstream.exchange.unheard is None:
        await asyncio.sleep(0)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_of_which_nothing_is_there_yet_is_awaited(stream: bool) -> None:
    more = asyncio.Event()
    upstream = Drained(more, None, *([said("Hel"), USAGE] if stream else [WHOLE]))
    app, gateway = await edge(upstream)
    async with Client(app, stream=stream) as client:
        await left(client, upstream)
        assert (0, 0, False) == (upstream.cancelled, upstream.closed, upstream.settled.is_set())
        more.set()
    assert ("disconnected", Usage(7, 9)) == (upstream.outcome.status, upstream.outcome.usage)
    assert (0, 1, []) == (upstream.cancelled, upstream.closed, client.sent)
    assert gateway.serving == set()
    assert client.task is not None
    assert (None, 0) == (client.task.exception(), client.task.cancelling())


@pytest.mark.parametrize("stream", [True, False])
async def test_it_is_awaited_within_bounds_of_time(stream: bool) -> None:
    upstream = Drained(asyncio.Event(), None, WHOLE, drain=Drain(0.02, 1 << 30))
    app, gateway = await edge(upstream)
    async with Client(app, stream=stream) as client:
        await left(client, upstream)
    assert ("disconnected", None, 1) == (upstream.outcome.status, upstream.outcome.usage, upstream.cancelled)
    assert ([], set(), 0) == (client.sent, gateway.serving, upstream.replied)


@pytest.mark.parametrize(("sizes", "cancelled"), [([50, 50], 0), ([50, 51], 1), ([101, 101, 101], 1)])
async def test_it_is_awaited_within_bounds_of_size(sizes: list[int], cancelled: int) -> None:
    more = asyncio.Event()
    upstream = Drained(more, drain=Drain(SOON, 100))
    upstream.steps += [*(Turn(upstream, size) for size in sizes), None, WHOLE]
    app, _ = await edge(upstream)
    async with Client(app) as client:
        await left(client, upstream)
        more.set()
    assert ("disconnected", cancelled) == (upstream.outcome.status, upstream.cancelled)
    assert upstream.replied == 1 - cancelled
    assert client.task is not None
    assert (None, 0) == (client.task.exception(), client.task.cancelling())


class Again:
    """A routing that tries twice."""

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        try:
            return await call_next(exchange)
        except UpstreamBroken:
            return await call_next(exchange)


@pytest.mark.parametrize("layers", [[], [Again()]])
async def test_after_a_failure_nobody_else_is_asked(layers: list[Any]) -> None:
    more = asyncio.Event()
    upstream = Drained(more, UpstreamBroken("cut"), None)
    app, gateway = await edge(upstream, *layers)
    async with Client(app) as client:
        await left(client, upstream)
        more.set()
    assert ("disconnected", 1, []) == (upstream.outcome.status, len(upstream.exchange.attempts), client.sent)
    assert client.task is not None
    assert (None, 0, set()) == (client.task.exception(), client.task.cancelling(), gateway.serving)


class Beside:
    """A routing that asks a second time as soon as it may, and takes what comes first."""

    def __init__(self) -> None:
        self.again = asyncio.Event()

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        first = asyncio.ensure_future(call_next(exchange))
        await self.again.wait()
        second = asyncio.ensure_future(call_next(exchange))
        (done,), (late,) = await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
        late.cancel()
        return done.result()


async def test_nobody_else_is_asked_beside_it_either() -> None:
    more, layer = asyncio.Event(), Beside()
    upstream = Drained(more, None, WHOLE)
    app, _ = await edge(upstream, layer)
    async with Client(app) as client:
        await left(client, upstream)
        layer.again.set()
        for _ in range(5):
            await asyncio.sleep(0)
        more.set()
    assert ("disconnected", Usage(7, 9)) == (upstream.outcome.status, upstream.outcome.usage)
    assert (1, 0, 1) == (len(upstream.exchange.attempts), upstream.cancelled, upstream.closed)


async def test_a_gateway_that_ends_does_not_await_it() -> None:
    upstream = Drained(asyncio.Event(), None, WHOLE)
    app, gateway = await edge(upstream)
    async with Client(app) as client:
        await left(client, upstream)
        (service,) = gateway.serving
        service.cut(Unavailable("shutting down"))
    assert ("disconnected", 1, []) == (upstream.outcome.status, upstream.cancelled, client.sent)
    assert client.task is not None
    assert (None, 0) == (client.task.exception(), client.task.cancelling())
