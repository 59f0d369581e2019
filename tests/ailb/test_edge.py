import asyncio
import gc
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.clients.chat import Chat
from ailb.dialect import Event, Speech
from ailb.edge import Edge
from ailb.errors import RateLimited, Unavailable, UpstreamBroken, UpstreamRefusal
from ailb.exchange import Exchange, Outcome, Reply
from ailb.gateway import Gateway
from ailb.prompt import Prompt
from ailb.stack import Next, Provider
from ailb.usage import Usage
from tests.ailb.serving import SOON, Client, Upstream, said, snapshot, started

WHOLE = Event.whole({"id": "c", "choices": [{"index": 0, "message": {"content": "Hi"}}]}, Usage(3, 2))
DONE = b"data: [DONE]\n\n"
BOTH = pytest.mark.parametrize("stream", [True, False])


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


async def edge(provider: Provider, *layers: Any, speech: Speech | None = None, **server: Any) -> tuple[Edge, Gateway]:
    gateway = await started(snapshot(provider, layers, **server))
    return Edge(speech or Chat(), gateway), gateway


def over(gateway: Gateway) -> bool:
    return (gateway._open[0], gateway.serving) == (0, set())


async def test_a_whole_answer() -> None:
    upstream = Upstream(WHOLE, headers={"x-ratelimit-limit": "5"})
    app, gateway = await edge(upstream)
    client = await Client(app).run()
    expected = {
        "content-type": "application/json",
        "content-length": str(len(WHOLE.raw)),
        "cache-control": "no-store",
        "vary": "Authorization",
        "x-request-id": "req_1",
        "x-ailb-provider": "fake",
        "x-ailb-model": "m",
        "x-ailb-attempts": "1",
        "x-ratelimit-limit": "5",
    }
    assert (200, WHOLE.raw) == (client.status, client.body)
    assert expected == {name: value for name, value in client.headers.items() if name != "x-ailb-latency-ms"}
    assert ("complete", 200, Usage(3, 2), None) == (
        upstream.outcome.status,
        upstream.outcome.http_status,
        upstream.outcome.usage,
        upstream.outcome.refusal,
    )
    assert (1, True) == (upstream.closed, over(gateway))


async def test_a_stream() -> None:
    upstream = Upstream(said("Hel"), said("lo"))
    app, gateway = await edge(upstream)
    client = await Client(app, stream=True).run()
    assert (200, said("Hel").raw + said("lo").raw + DONE) == (client.status, client.body)
    assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert client.headers["cache-control"] == "no-cache, no-store"
    assert "content-length" not in client.headers
    assert ("complete", 1, True) == (upstream.outcome.status, upstream.closed, over(gateway))


async def test_a_stream_of_which_the_client_gets_no_event_still_is_one() -> None:
    upstream = Upstream(Event.chunk({"choices": [], "usage": {}}, Usage(1, 1), hidden=True))
    app, _ = await edge(upstream)
    client = await Client(app, stream=True).run()
    assert (200, DONE, Usage(1, 1)) == (client.status, client.body, upstream.outcome.usage)


async def test_events_are_kept_for_those_who_asked() -> None:
    class Keeping:
        async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
            exchange.keep_events = True
            return await call_next(exchange)

    for layers, text in (([Keeping()], "Hello"), ([], "")):
        upstream = Upstream(said("Hel"), said("lo"))
        app, _ = await edge(upstream, *layers)
        await Client(app, stream=True).run()
        assert text == upstream.outcome.text


@BOTH
async def test_a_refusal_is_told_with_its_status(stream: bool) -> None:
    refusal = RateLimited("slow down", headers={"retry-after": "3"})
    upstream = Upstream(refusal, None)
    app, gateway = await edge(upstream)
    client = await Client(app, stream=stream).run()
    assert (429, refusal.body(), "3") == (client.status, client.json, client.headers["retry-after"])
    assert ("refused", 429, refusal) == (upstream.outcome.status, upstream.outcome.http_status, upstream.outcome.refusal)
    assert over(gateway)


@pytest.mark.parametrize("failure", [UpstreamBroken("cut"), UpstreamRefusal(500, "inside"), ValueError("a bug")])
async def test_a_stream_that_breaks_ends_with_an_error_and_never_as_if_it_was_whole(failure: Exception) -> None:
    upstream = Upstream(said("Hel"), failure)
    app, gateway = await edge(upstream)
    client = await Client(app, stream=True).run()
    assert client.finished
    assert client.body.startswith(said("Hel").raw + b'data: {"error":')
    assert b"[DONE]" not in client.body
    assert b"a bug" not in client.body
    assert ("broken", 200, 1, True) == (upstream.outcome.status, upstream.outcome.http_status, upstream.closed, over(gateway))


@BOTH
async def test_a_bug_in_a_layer_says_nothing_about_itself(stream: bool) -> None:
    upstream = Upstream(ValueError("secret internals"), None)
    app, gateway = await edge(upstream)
    client = await Client(app, stream=stream).run()
    assert (500, "internal error") == (client.status, client.json["detail"])
    assert ("refused", 500, True) == (upstream.outcome.status, upstream.outcome.http_status, over(gateway))


async def test_a_bug_before_there_is_an_exchange_is_answered_too() -> None:
    class Odd(Chat):
        def prompt(self, body: dict[str, Any], headers: Any) -> Prompt:
            raise LookupError("secret internals")

    app, gateway = await edge(Upstream(WHOLE), speech=Odd())
    client = await Client(app).run()
    assert (500, "internal error", True) == (client.status, client.json["detail"], over(gateway))


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"{", 400, "the body is not valid JSON"),
        (b"[]", 400, "the body must be a JSON object"),
        (b'{"model": "m"}', 400, "messages must be a list"),
        (b'{"messages": [], "model": "m"}', 400, "messages must be a list"),
        (b" " * 5000, 413, "the body is larger than 4096 bytes"),
    ],
)
async def test_what_is_no_request_is_refused_and_the_connection_closed(body: bytes, status: int, detail: str) -> None:
    upstream = Upstream(WHOLE)
    app, gateway = await edge(upstream, max_body_bytes=4096)
    client = await Client(app, body).run()
    assert (status, "close", "req_1") == (client.status, client.headers["connection"], client.headers["x-request-id"])
    assert client.json["detail"].startswith(detail)
    assert ([], True) == (upstream.outcomes, over(gateway))


async def test_a_request_that_never_comes_is_timed_out() -> None:
    app, gateway = await edge(Upstream(WHOLE), body_seconds=0.01)
    client = await Client(app, messages=[{"type": "http.request", "body": b"{", "more_body": True}]).run()
    assert (408, True) == (client.status, over(gateway))


async def test_a_client_that_left_while_asking_gets_nothing() -> None:
    app, gateway = await edge(Upstream(WHOLE))
    client = await Client(app, messages=[{"type": "http.disconnect"}]).run()
    assert ([], True) == (client.sent, over(gateway))


async def test_a_gateway_that_drains_or_is_full_takes_nothing() -> None:
    app, gateway = await edge(Upstream(WHOLE), max_requests=1)
    live = gateway.admit()
    client = await Client(app).run()
    assert (503, "1") == (client.status, client.headers["retry-after"])
    gateway.release(live)
    gateway.draining = True
    client = await Client(app).run()
    assert (503, "close") == (client.status, client.headers["connection"])
    assert over(gateway)


@pytest.mark.parametrize(("length", "told"), [("300", None), ("65537", "close"), ("9" * 30, "close"), ("\xb2", "close"), ("", "close")])
async def test_a_full_gateway_keeps_the_connection_of_a_small_request(length: str, told: str | None) -> None:
    app, gateway = await edge(Upstream(WHOLE), max_requests=1)
    gateway.admit()
    client = await Client(app, headers={"content-length": length}).run()
    assert (503, told) == (client.status, client.headers.get("connection"))


async def test_http2_has_no_connection_header() -> None:
    app, _ = await edge(Upstream(WHOLE))
    assert "connection" not in (await Client(app, b"{", scope={"http_version": "2"}).run()).headers


async def test_a_request_that_came_back_is_stopped() -> None:
    app, gateway = await edge(Upstream(WHOLE))
    assert (await Client(app, headers={"via": f"1.1 proxy, {gateway.via('')}"}).run()).status == 508


@pytest.mark.parametrize(
    ("stream", "steps", "status"),
    [
        (True, ["wait", None], 499),
        (True, [said("Hel"), "wait"], 200),
        (False, ["wait", None], 499),
        (False, ["wait", WHOLE], 499),
    ],
)
async def test_the_upstream_is_left_when_the_client_leaves(stream: bool, steps: list[Any], status: int) -> None:
    upstream = Upstream(*(asyncio.Event() if step == "wait" else step for step in steps))
    app, gateway = await edge(upstream)
    async with Client(app, stream=stream) as client:
        await asyncio.wait_for(upstream.entered.wait(), SOON)
        client.left.set()
    assert client.task is not None
    assert (None, 0) == (client.task.exception(), client.task.cancelling())
    assert ("disconnected", 1, upstream.replied, True) == (upstream.outcome.status, upstream.cancelled, upstream.closed, over(gateway))
    assert (upstream.outcome.http_status, client.finished) == (status, False)


async def test_a_client_that_leaves_after_all_was_said_got_everything() -> None:
    upstream = Upstream(said("Hel"))
    app, _ = await edge(upstream)
    async with Client(app, stream=True) as client:
        await client.until(b"[DONE]")
        client.left.set()
    assert upstream.outcome.status == "complete"


@pytest.mark.parametrize(("rest", "status"), [([said("Hel")], "disconnected"), ([], "disconnected"), ([UpstreamBroken("x")], "broken")])
async def test_a_stream_that_nobody_takes_is_cut_also_at_its_last_bytes(rest: list[Any], status: str) -> None:
    upstream = Upstream(said("first"), asyncio.Event(), *rest)
    app, gateway = await edge(upstream, write_seconds=0.02)
    async with Client(app, stream=True) as client:
        await client.until(b"first")
        client.taking.clear()
        upstream.steps[1].set()
    assert (status, 1, True) == (upstream.outcome.status, upstream.closed, over(gateway))


async def test_a_large_whole_answer_must_be_taken_too() -> None:
    upstream = Upstream(Event(b'{"x":"' + b"x" * 200_000 + b'"}'))
    app, gateway = await edge(upstream, write_seconds=0.02)
    async with Client(app) as client:
        client.taking.clear()
    assert ("disconnected", True) == (upstream.outcome.status, over(gateway))
    assert (await Client(app).run()).body == upstream.steps[0].raw


async def test_a_silent_upstream_is_bridged_by_heartbeats() -> None:
    upstream = Upstream(said("Hel"), asyncio.Event(), said("lo"))
    app, _ = await edge(upstream, heartbeat_seconds=0.02)
    async with Client(app, stream=True) as client:
        await client.until(b": keep-alive\n\n: keep-alive\n\n")
        upstream.steps[1].set()
    assert client.body.startswith(said("Hel").raw + b": keep-alive\n\n")
    assert client.body.replace(b": keep-alive\n\n", b"") == said("Hel").raw + said("lo").raw + DONE


@pytest.mark.parametrize(
    ("steps", "rest", "status"),
    [
        ([None, said("Hel")], said("Hel").raw + DONE, "complete"),
        ([UpstreamRefusal(429, "slow down", headers={"retry-after": "3"}), None], b'data: {"error":{"message":"slow down"', "broken"),
        ([ValueError("bug"), None], b'data: {"error":{"message":"internal error"', "broken"),
    ],
)
async def test_a_heartbeat_may_come_before_the_answer_and_then_an_error_comes_inside(steps: list[Any], rest: bytes, status: str) -> None:
    upstream = Upstream(asyncio.Event(), *steps)
    app, gateway = await edge(upstream, heartbeat_seconds=0.02)
    async with Client(app, stream=True) as client:
        await client.until(b": keep-alive\n\n")
        upstream.steps[0].set()
    told = client.body.replace(b": keep-alive\n\n", b"")
    assert (200, "text/event-stream; charset=utf-8", True) == (client.status, client.headers["content-type"], client.finished)
    assert told.startswith(rest)
    assert (b"[DONE]" in told) is (status == "complete")
    assert (status, 200, True) == (upstream.outcome.status, upstream.outcome.http_status, over(gateway))


@pytest.mark.parametrize(
    ("stream", "steps", "status", "outcome"),
    [
        (True, ["wait", None], 503, "refused"),
        (False, ["wait", None], 503, "refused"),
        (False, ["wait", WHOLE], 503, "refused"),
        (True, [said("Hel"), "wait"], 200, "broken"),
    ],
)
async def test_what_a_drain_cuts_is_told(stream: bool, steps: list[Any], status: int, outcome: str) -> None:
    upstream = Upstream(*(asyncio.Event() if step == "wait" else step for step in steps))
    app, gateway = await edge(upstream, drain_seconds=0.01)
    async with Client(app, stream=stream) as client:
        await asyncio.wait_for(upstream.entered.wait(), SOON)
        await gateway.drain()
    assert (status, True) == (client.status, client.finished)
    assert b"shutting down" in client.body
    assert b"[DONE]" not in client.body
    assert (outcome, 1, upstream.replied, True) == (upstream.outcome.status, upstream.cancelled, upstream.closed, over(gateway))


async def test_a_request_that_is_being_cut_while_a_heartbeat_waits_is_told_too() -> None:
    upstream = Upstream(asyncio.Event(), None)
    app, gateway = await edge(upstream, heartbeat_seconds=0.01, drain_seconds=0.01)
    async with Client(app, stream=True) as client:
        await client.until(b": keep-alive")
        client.taking.clear()
        await asyncio.wait_for(client.blocked.wait(), SOON)
        (service,) = gateway.serving
        service.cut(Unavailable("shutting down"))
        client.taking.set()
    assert b"shutting down" in client.body
    assert client.finished


class Interrupted:
    """A coroutine that, at its `at`-th suspension, is cancelled or gets an exception."""

    def __init__(self, coroutine: Any, at: int, error: Exception | None) -> None:
        self.coroutine = coroutine
        self.at = at
        self.error = error
        self.seen = 0

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self.coroutine.__await__()
        step = None
        while True:
            try:
                waited_for = steps.send(None) if step is None else steps.throw(step)
            except StopIteration:
                return
            step = None
            self.seen += 1
            if self.seen == self.at and self.error is not None:
                step = self.error
                continue
            task = asyncio.current_task()
            if self.seen == self.at and task is not None:
                task.cancel()
            try:
                yield waited_for
            # Whatever the loop throws in goes on to the coroutine.
            except BaseException as interruption:  # noqa: BLE001
                step = interruption  # type: ignore[assignment]


class Slow:
    """Something awaited everywhere: before and after the call, in a hook, between events, in settlers."""

    def __init__(self) -> None:
        self.taken = 0
        self.given_back = 0

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        await asyncio.sleep(0)
        self.taken += 1
        exchange.on_settle(self.give_back)
        await asyncio.sleep(0)
        reply = await call_next(exchange)
        await asyncio.sleep(0)
        return reply

    async def give_back(self, outcome: Outcome) -> None:
        await asyncio.sleep(0)
        self.given_back += 1


class Yielding:
    """A step of an upstream that takes one turn of the loop."""

    async def wait(self) -> None:
        await asyncio.sleep(0)


class SlowClient(Client):
    async def receive(self) -> Any:
        await asyncio.sleep(0)
        return await super().receive()

    async def send(self, message: Any) -> None:
        await asyncio.sleep(0)
        await super().send(message)


async def interrupted(at: int, stream: bool, error: Exception | None) -> bool:
    """Whether there was an `at`-th suspension. Fails when anything was left taken."""
    turn = Yielding()
    upstream = Upstream(turn, None, turn, said("Hel"), turn, said("lo")) if stream else Upstream(turn, None, turn, WHOLE)
    slow = [Slow(), Slow()]
    app, gateway = await edge(upstream, *slow)
    call = Interrupted(SlowClient(app, stream=stream).call(), at, error)

    async def run() -> None:
        await call

    await asyncio.wait([asyncio.create_task(run())], timeout=SOON)
    await gateway.stop()
    assert [(layer.taken, layer.taken) for layer in slow] == [(layer.taken, layer.given_back) for layer in slow]
    assert upstream.replied == upstream.closed
    assert len(upstream.outcomes) <= 1
    assert (over(gateway), gateway._background) == (True, set())
    return call.seen >= at


@BOTH
@pytest.mark.parametrize("error", [None, ValueError("bug"), UpstreamBroken("cut"), TimeoutError()])
async def test_whatever_fails_at_whichever_await_everything_is_given_back_once(stream: bool, error: Exception | None) -> None:
    at = 1
    while await interrupted(at, stream, error):
        at += 1
    assert at > 10


@BOTH
@pytest.mark.parametrize("end", [WHOLE, UpstreamBroken("cut"), UpstreamRefusal(429, "slow down")])
async def test_what_is_over_is_gone_without_the_collector(stream: bool, end: Any) -> None:
    """A cycle would keep every prompt until the collector comes by, and make it come often."""

    class Hooked:
        async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
            exchange.on_attempt(lambda attempt: exchange.notes.update(hooked=True))
            return await call_next(exchange)

    watched = asyncio.Event()

    async def watching() -> None:
        while not any(service._watcher for service in gateway.serving):  # type: ignore[attr-defined]
            await asyncio.sleep(0.001)
        watched.set()

    app, gateway = await edge(Upstream(watched, None, end), Hooked())
    gc.collect()
    gc.disable()
    try:
        _, client = await asyncio.gather(watching(), Client(app, stream=stream).run())
        assert client.finished
        await asyncio.sleep(0)
        assert not [found for found in gc.get_objects() if isinstance(found, Exchange) and found.notes == {"hooked": True}]
    finally:
        gc.enable()
