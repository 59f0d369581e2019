"""The layer behind the real edge: what clients of each dialect get, at once, one after another, and when one hangs up."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.clients.chat import Chat
from ailb.clients.messages import Messages
from ailb.clients.ollama import OllamaChat
from ailb.dialect import Event, Speech
from ailb.edge import Edge
from ailb.testing_replays import MemoryReplays
from ailb.usage import Usage
from middleware.idempotency import HEADER, Idempotency
from tests.ailb.serving import SOON, Client, Upstream, said, snapshot, started

SPEECHES = {"chat": Chat(), "messages": Messages(), "ollama": OllamaChat()}
WHOLE = Event.whole(
    {"id": "c", "model": "m", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}, Usage(3, 2)
)
STREAM = (said("Hel"), said("lo", "stop"), Event.chunk({"choices": [], "usage": {}}, Usage(3, 2), hidden=True))
ALL = pytest.mark.parametrize("speech", SPEECHES.values(), ids=SPEECHES)
BOTH = pytest.mark.parametrize("stream", [True, False])


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


async def edge(upstream: Upstream, speech: Speech, replays: MemoryReplays) -> Edge:
    return Edge(speech, await started(snapshot(upstream, [Idempotency(replays)])))


def client(app: Edge, **asked: Any) -> Client:
    return Client(app, headers={HEADER: "a"}, max_tokens=9, **asked)


async def until_waiting(replays: MemoryReplays, number: int) -> None:
    async with asyncio.timeout(SOON):
        while replays.waiting < number:
            await asyncio.sleep(0)


@ALL
@BOTH
async def test_five_at_once_get_the_same_bytes_of_one_call(speech: Speech, stream: bool) -> None:
    free, replays = asyncio.Event(), MemoryReplays()
    upstream = Upstream(free, None, *(STREAM if stream else (WHOLE,)))
    app = await edge(upstream, speech, replays)
    clients = [client(app, stream=stream) for _ in range(5)]
    running = [asyncio.create_task(each.run()) for each in clients]
    await until_waiting(replays, 4)
    free.set()
    await asyncio.gather(*running)
    again = await client(app, stream=stream).run()
    assert ([200] * 5, 1) == ([each.status for each in clients], upstream.replied)
    assert {again.body} == {each.body for each in clients}
    assert 4 == sum("x-ailb-replayed" in each.headers for each in clients)
    assert ("true", "0") == (again.headers["x-ailb-replayed"], again.headers["x-ailb-attempts"])
    assert clients[0].headers["content-type"] == again.headers["content-type"]


@BOTH
async def test_one_who_hung_up_can_try_again(stream: bool) -> None:
    never, replays = asyncio.Event(), MemoryReplays()
    upstream = Upstream(never) if not stream else Upstream(STREAM[0], never)
    app = await edge(upstream, Chat(), replays)
    async with client(app, stream=stream) as leaving:
        await asyncio.wait_for(upstream.entered.wait(), SOON)
        leaving.left.set()
    assert ("disconnected", {}) == (upstream.outcome.status, replays.rows)
    upstream.steps = [*STREAM] if stream else [WHOLE]
    again = await client(app, stream=stream).run()
    assert (200, 2, False) == (again.status, upstream.replied, "x-ailb-replayed" in again.headers)


async def test_one_who_hangs_up_while_waiting_is_in_nobodys_way() -> None:
    free, replays = asyncio.Event(), MemoryReplays()
    upstream = Upstream(free, None, WHOLE)
    app = await edge(upstream, Chat(), replays)
    first = client(app)
    running = asyncio.create_task(first.run())
    async with client(app) as waiting:
        await until_waiting(replays, 1)
        waiting.left.set()
    free.set()
    await running
    assert (200, 1, []) == (first.status, upstream.replied, waiting.sent)


@ALL
async def test_an_error_has_the_shape_of_the_clients_dialect(speech: Speech) -> None:
    upstream = Upstream(WHOLE)
    app = await edge(upstream, speech, MemoryReplays())
    await client(app, stream=False).run()
    other = await client(app, stream=False, temperature=1).run()
    assert (409, 1) == (other.status, upstream.replied)
    assert b"another request" in other.body
