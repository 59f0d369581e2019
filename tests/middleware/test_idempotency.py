import asyncio
from inspect import isawaitable
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.errors import BadRequest, Conflict, Unavailable, UpstreamBroken, UpstreamSilent
from ailb.exchange import Exchange, Outcome, Reply
from ailb.keys import Key
from ailb.stack import Next
from ailb.testing import Result, answers, ask, refuses, run
from ailb.testing_replays import MemoryReplays
from ailb.usage import Usage
from middleware.idempotency import HEADER, Idempotency


class Upstream:
    """Answers with `texts` once `free` is set, and counts how often it was asked."""

    def __init__(self, *texts: str, usage: Usage | None = None) -> None:
        self.asked = 0
        self.free = asyncio.Event()
        self.free.set()
        self._answer = answers(*texts, usage=usage)

    async def __call__(self, exchange: Exchange) -> Reply:
        self.asked += 1
        await self.free.wait()
        return await self._answer(exchange)


def asks(text: str = "Hello", *, name: str = "a", user: str = "ann", key: Key | None = None, **body: Any) -> Exchange:
    exchange = ask(text, headers={HEADER: name}, **body)
    exchange.caller.user, exchange.caller.key = user, key
    return exchange


def raws(result: Result) -> list[bytes]:
    return [event.raw for event in result.events]


async def until_waiting(replays: MemoryReplays, number: int) -> None:
    while replays.waiting < number:
        await asyncio.sleep(0)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_second_gets_the_firsts_answer(stream: bool) -> None:
    layer, upstream = Idempotency(MemoryReplays()), Upstream("Hi", " there", usage=Usage(9, 2, 1))
    first, second = [await run(layer, asks(stream=stream), upstream) for _ in range(2)]
    assert ("Hi there", raws(first), Usage(9, 2, 1)) == (second.text, raws(second), second.outcome.usage)
    assert 1 == upstream.asked
    assert ({}, {"x-ailb-replayed": "true"}) == (first.exchange.reply_headers, second.exchange.reply_headers)
    assert ({}, {"replayed": True}) == (first.exchange.notes, second.exchange.notes)
    assert None is second.exchange.target


async def test_without_the_header_nothing_is_kept() -> None:
    replays, upstream = MemoryReplays(), Upstream("Hi")
    replays.down = True
    for _ in range(2):
        await run(Idempotency(replays), ask(), upstream)
    assert (2, {}) == (upstream.asked, replays.rows)


@pytest.mark.parametrize(
    "other", [{"text": "Bye"}, {"stream": True}, {"model": "m"}, {"session_id": "s"}, {"rag_collection": "c"}, {"rag_top_k": 4}, {"n": 2}]
)
async def test_another_request_under_the_same_key_is_a_conflict(other: dict[str, Any]) -> None:
    layer, upstream = Idempotency(MemoryReplays()), Upstream("Hi")
    await run(layer, asks(), upstream)
    result = await run(layer, asks(**other), upstream)
    assert isinstance(result.refusal, Conflict)
    assert 1 == upstream.asked


@pytest.mark.parametrize("seed", [1, 1 << 70])
async def test_the_order_of_members_makes_no_other_request(seed: int) -> None:
    layer, upstream = Idempotency(MemoryReplays()), Upstream("Hi")
    await run(layer, asks(seed=seed, top_p=1), upstream)
    result = await run(layer, asks(top_p=1, seed=seed), upstream)
    assert ("Hi", 1) == (result.text, upstream.asked)


async def test_the_body_is_the_one_that_the_client_sent() -> None:
    async def capping(exchange: Exchange) -> Reply:
        exchange.prompt.cap_output(5)
        return await answers("Hi")(exchange)

    layer = Idempotency(MemoryReplays())
    assert ["Hi", "Hi"] == [(await run(layer, asks(), capping)).text for _ in range(2)]


@pytest.mark.parametrize("name", ["", "a" * 257, "a\tb", "\x85"])
async def test_a_malformed_key_is_refused(name: str) -> None:
    upstream = Upstream("Hi")
    result = await run(Idempotency(MemoryReplays()), asks(name=name), upstream)
    assert isinstance(result.refusal, BadRequest)
    assert 0 == upstream.asked


async def test_five_at_once_are_asked_once() -> None:
    replays, upstream = MemoryReplays(), Upstream("Hi", " there")
    layer = Idempotency(replays)
    upstream.free.clear()
    running = [asyncio.create_task(run(layer, asks(stream=True), upstream)) for _ in range(5)]
    await until_waiting(replays, 4)
    upstream.free.set()
    results = await asyncio.gather(*running)
    assert 1 == upstream.asked
    assert [raws(results[0])] * 5 == [raws(result) for result in results]
    assert 4 == sum("replayed" in result.exchange.notes for result in results)


async def test_who_waits_too_long_is_told_to_come_back() -> None:
    replays, upstream = MemoryReplays(), Upstream("Hi")
    layer = Idempotency(replays, wait_seconds=0.01)
    upstream.free.clear()
    first = asyncio.create_task(run(layer, asks(), upstream))
    while not upstream.asked:
        await asyncio.sleep(0)
    second = await run(layer, asks(), upstream)
    upstream.free.set()
    assert isinstance(second.refusal, Conflict)
    assert ("1", "Hi") == (second.refusal.headers["retry-after"], (await first).text)


@pytest.mark.parametrize("refusal", [BadRequest("no"), UpstreamSilent("down")])
async def test_what_was_refused_can_be_tried_again(refusal: BadRequest | UpstreamSilent) -> None:
    layer = Idempotency(MemoryReplays())
    first = await run(layer, asks(), refuses(refusal))
    second = await run(layer, asks(), answers("Hi"))
    assert (refusal, "Hi", {}) == (first.refusal, second.text, second.exchange.notes)


async def test_one_who_waits_does_what_the_first_one_failed_to() -> None:
    replays, upstream, started = MemoryReplays(), Upstream("Hi"), asyncio.Event()
    layer = Idempotency(replays)

    async def failing(exchange: Exchange) -> Reply:
        await started.wait()
        raise UpstreamSilent("down")

    first = asyncio.create_task(run(layer, asks(), failing))
    await asyncio.sleep(0)
    second = asyncio.create_task(run(layer, asks(), upstream))
    await until_waiting(replays, 1)
    started.set()
    assert ("refused", "Hi", 1) == ((await first).outcome.status, (await second).text, upstream.asked)


async def test_a_stream_that_broke_can_be_tried_again() -> None:
    layer = Idempotency(MemoryReplays())

    async def breaking(exchange: Exchange) -> Reply:
        whole = await answers("Hi", " there")(exchange)

        async def some() -> Any:
            yield await anext(whole)
            raise UpstreamBroken("cut")

        return Reply(some())

    first = await run(layer, asks(stream=True), breaking)
    second = await run(layer, asks(stream=True), answers("Hi"))
    assert ("broken", "Hi", {}) == (first.outcome.status, second.text, second.exchange.notes)


async def left_after(layer: Idempotency, exchange: Exchange, upstream: Next, batches: int) -> None:
    """As the edge has it when the client hangs up after so many batches."""
    reply = await layer(exchange, upstream)
    for _ in range(batches):
        await anext(reply)
    for settler in reversed(exchange.settlers):
        waiting = settler(Outcome("disconnected", 200, 0.1))
        if isawaitable(waiting):
            await waiting


@pytest.mark.parametrize("batches", [0, 1, 4])
async def test_who_hung_up_can_try_again(batches: int) -> None:
    layer, upstream = Idempotency(MemoryReplays()), Upstream("Hi")
    await left_after(layer, asks(stream=True), upstream, batches)
    result = await run(layer, asks(stream=True), upstream)
    assert ("Hi", 2, {}) == (result.text, upstream.asked, result.exchange.notes)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_was_too_large_is_not_kept_and_not_got_again(stream: bool) -> None:
    layer, upstream = Idempotency(MemoryReplays(), max_bytes=500), Upstream("Hi" * 200, " there")
    first, second = [await run(layer, asks(stream=stream), upstream) for _ in range(2)]
    assert ("Hi" * 200 + " there", 1) == (first.text, upstream.asked)
    assert isinstance(second.refusal, Conflict)
    assert "too large" in second.refusal.message
    assert "retry-after" not in second.refusal.headers


@pytest.mark.parametrize(
    "other", [{"user": "ben"}, {"key": Key("key_2", "ann")}, {"user": "key_1"}, {"user": "ann" * 1000}], ids=["user", "key", "name", "long"]
)
async def test_nobody_sees_what_somebody_else_asked(other: dict[str, Any]) -> None:
    layer, upstream = Idempotency(MemoryReplays()), Upstream("Hi")
    for key in (None, Key("key_1", "ann")):
        await run(layer, asks(key=key), upstream)
    result = await run(layer, asks("Bye", **other), upstream)
    assert ("Hi", 3) == (result.text, upstream.asked)


async def test_with_a_key_it_is_the_key_that_counts() -> None:
    layer, upstream = Idempotency(MemoryReplays()), Upstream("Hi")
    results = [await run(layer, asks(user=user, key=Key("key_1", "ann")), upstream) for user in ("ann", "ben")]
    assert (["Hi", "Hi"], 1) == ([result.text for result in results], upstream.asked)


async def test_while_the_store_is_down_nothing_is_done_that_may_have_been_done() -> None:
    replays, upstream = MemoryReplays(), Upstream("Hi")
    replays.down = True
    result = await run(Idempotency(replays), asks(), upstream)
    assert isinstance(result.refusal, Unavailable)
    assert 0 == upstream.asked


@pytest.mark.parametrize("stream", [False, True])
async def test_a_store_that_goes_down_meanwhile_costs_nobody_his_answer(stream: bool) -> None:
    replays, upstream = MemoryReplays(), Upstream("Hi")

    async def going_down(exchange: Exchange) -> Reply:
        replays.down = True
        return await upstream(exchange)

    with capture_logs() as logs:
        result = await run(Idempotency(replays), asks(stream=stream), going_down)
    assert ("Hi", ["answer not kept"]) == (result.text, [line["event"] for line in logs])


@pytest.mark.parametrize("options", [{"keep_seconds": 0.0}, {"max_bytes": -1}, {"wait_seconds": -1.0}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Idempotency(MemoryReplays(), **options)


async def test_what_is_only_explained_is_neither_given_again_nor_kept() -> None:
    replays, upstream = MemoryReplays(), Upstream("Hi")
    layer, dry = Idempotency(replays), asks()
    dry.dry = True
    await run(layer, dry, upstream)
    await run(layer, asks(), upstream)
    again = asks()
    again.dry = True
    result = await run(layer, again, upstream)
    assert (3, {}) == (upstream.asked, result.exchange.reply_headers)
