"""The layer, with the books in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import blake2s
from typing import Any

import pytest

from ailb.errors import BadRequest, ConfigError, RateLimited, Refusal, UpstreamRefusal
from ailb.exchange import Exchange, Outcome, Reply, Status
from ailb.keys import Key
from ailb.options import construct
from ailb.secret import Secret
from ailb.testing import answers, ask, refuses, run
from ailb.usage import Usage
from middleware.ratelimit import RateLimit

LIMITED: dict[str, Any] = {"rate_limit_rpm": 3, "rate_limit_tpm": 1000, "max_parallel": 2}


def of_key(key: str = "key-1", text: str = "Hello", body: dict[str, Any] | None = None, **limits: Any) -> Exchange:
    exchange = ask(text, **(body or {}))
    exchange.caller.key = Key(key, "ann", **limits)
    return exchange


def of_user(user: str) -> Exchange:
    exchange = ask()
    exchange.caller.user = user
    return exchange


async def statuses(layer: RateLimit, exchanges: list[Exchange]) -> list[int]:
    return [(await run(layer, exchange, answers("Hi"))).outcome.http_status for exchange in exchanges]


async def left(layer: RateLimit, kind: str, **limits: Any) -> int:
    """What a request of key-1 that takes the least is told to be left, itself aside."""
    exchange = of_key(text="x", **limits)
    await run(layer, exchange, answers("x", usage=Usage(1, 0)))
    return int(exchange.reply_headers[f"x-ratelimit-remaining-{kind}"]) + 1


async def test_without_a_limit_nothing_is_counted_and_nothing_told() -> None:
    result = await run(RateLimit(), of_key(), answers("Hi"))
    assert ("Hi", {}, []) == (result.text, result.exchange.reply_headers, result.exchange.settlers)


async def test_a_keys_own_limits_come_before_the_defaults() -> None:
    layer = RateLimit(requests_per_minute=2)
    assert [200, 429] == await statuses(layer, [of_key(rate_limit_rpm=1) for _ in range(2)])
    assert [200, 200, 429] == await statuses(layer, [of_key("key-2") for _ in range(3)])
    assert [200] * 3 == await statuses(layer, [of_key("key-3", rate_limit_rpm=5) for _ in range(3)])


async def test_nobody_takes_the_place_of_a_user_whose_long_name_is_hashed() -> None:
    layer, long = RateLimit(requests_per_minute=1), "x" * 1000
    assert [200, 200, 429] == await statuses(layer, [of_user(user) for user in (long, blake2s(long.encode()).hexdigest(), long)])


async def test_each_user_has_the_defaults_where_there_is_no_key() -> None:
    layer = RateLimit(requests_per_minute=1)
    users = ["ann", "bob", "ann", "x" * 1000 + "1", "x" * 1000 + "2", "x" * 1000 + "1"]
    assert [200, 200, 429, 200, 200, 429] == await statuses(layer, [of_user(user) for user in users])
    assert [200] == await statuses(layer, [of_key("ann")])  # a key of the same name is somebody else
    assert max(map(len, layer._memory._counts.storage)) < 200


async def test_a_limit_of_nothing_lets_nobody_in() -> None:
    assert [429] == await statuses(RateLimit(), [of_key(rate_limit_rpm=0)])
    assert [429] == await statuses(RateLimit(), [of_key(max_parallel=0)])


async def test_a_refusal_says_what_and_when() -> None:
    layer = RateLimit()
    await run(layer, of_key(rate_limit_rpm=1, rate_limit_tpm=500), answers("Hi", usage=Usage(90, 10)))
    refusal = (await run(layer, of_key(rate_limit_rpm=1, rate_limit_tpm=500), answers("Hi"))).refusal
    assert isinstance(refusal, RateLimited)
    assert refusal.message.startswith("Rate limit exceeded")
    headers = dict(refusal.headers)
    assert 1 <= int(headers.pop("retry-after")) <= 120
    assert headers.pop("x-ratelimit-reset-requests").endswith("s")
    assert headers.pop("x-ratelimit-reset-tokens").endswith("s")
    assert {
        "x-ratelimit-limit-requests": "1",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-limit-tokens": "500",
        "x-ratelimit-remaining-tokens": "400",
    } == headers


async def test_an_answer_tells_what_is_left() -> None:
    exchange = of_key(text="x" * 40, body={"max_tokens": 90}, **LIMITED)
    await run(RateLimit(), exchange, answers("Hi"))
    told = exchange.reply_headers
    assert ("3", "2") == (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"])
    assert ("1000", "900") == (told["x-ratelimit-limit-tokens"], told["x-ratelimit-remaining-tokens"])
    assert 6 == len(told)


async def test_exactly_as_many_get_in_as_may() -> None:
    layer = RateLimit(requests_per_minute=100, tokens_per_minute=10_000_000, max_parallel=1000)
    seen = await asyncio.gather(*(statuses(layer, [of_key()]) for _ in range(500)))
    assert (100, 400) == (seen.count([200]), seen.count([429]))


async def test_exactly_as_many_tokens_get_in_as_may() -> None:
    layer = RateLimit(tokens_per_minute=1000)

    async def one() -> int:
        result = await run(layer, of_key(text="x" * 40), answers("Hi", usage=Usage(9, 1)))
        return result.outcome.http_status

    seen = await asyncio.gather(*(one() for _ in range(500)))
    assert (100, 400) == (seen.count(200), seen.count(429))


@pytest.mark.parametrize(
    "refused",
    [
        of_key(text="x" * 4400, **LIMITED),  # more tokens than there are
        of_key(**{**LIMITED, "max_parallel": 0}),
    ],
)
async def test_who_is_refused_has_spent_nothing(refused: Exchange) -> None:
    layer = RateLimit()
    result = await run(layer, refused, answers("Hi"))
    assert 429 == result.outcome.http_status
    assert {} == layer._memory._slots
    assert 3 == await left(layer, "requests", **LIMITED)
    assert 1000 - 1 == await left(layer, "tokens", **LIMITED)  # what it took to ask


async def test_who_will_never_fit_is_told_so() -> None:
    result = await run(RateLimit(tokens_per_minute=10), of_key(text="x" * 400), answers("Hi"))
    assert result.refusal is not None
    assert "false" == result.refusal.headers["x-should-retry"]
    assert "100 tokens are more than 10 a minute" in result.refusal.message


async def test_a_high_cap_on_the_answer_shuts_nobody_out() -> None:
    result = await run(RateLimit(tokens_per_minute=1000), of_key(text="x" * 400, body={"max_tokens": 50_000}), answers("Hi"))
    assert ("Hi", "0") == (result.text, result.exchange.reply_headers["x-ratelimit-remaining-tokens"])


@pytest.mark.parametrize(
    ("innermost", "taken"),
    [
        (answers("Hi", usage=Usage(30, 20)), 50),
        (answers("Hi", usage=Usage(300, 200)), 500),
        (refuses(BadRequest("no")), 0),
        (refuses(UpstreamRefusal(500, "oops")), 0),
    ],
)
@pytest.mark.parametrize("text", ["Hello", "ä" * 200])
async def test_tokens_settle_to_the_truth(innermost: Callable[[Exchange], Awaitable[Reply]], taken: int, text: str) -> None:
    layer = RateLimit()
    await run(layer, of_key(text=text, body={"max_tokens": 100}, rate_limit_tpm=1000), innermost)
    assert 1000 - taken == await left(layer, "tokens", rate_limit_tpm=1000)


@pytest.mark.parametrize(("status", "taken"), [("disconnected", 150), ("broken", 150), ("refused", 0)])
async def test_where_nobody_says_how_many_tokens_the_estimate_stands(status: Status, taken: int) -> None:
    layer = RateLimit()
    exchange = of_key(text="ä" * 200, body={"max_tokens": 50}, rate_limit_tpm=1000)
    await layer(exchange, answers("Hi"))
    for settler in exchange.settlers:
        settler(Outcome(status, 200, 0.1))
    assert 1000 - taken == await left(layer, "tokens", rate_limit_tpm=1000)


async def test_slots_are_held_while_a_request_is_open() -> None:
    layer = RateLimit(max_parallel=2)
    inside: list[int] = []

    async def nested(exchange: Exchange) -> Reply:
        inside.extend(await statuses(layer, [of_key(), of_key("key-2")]))
        inside.extend(await _third(layer))
        return await answers("Hi")(exchange)

    assert 200 == (await run(layer, of_key(), nested)).outcome.http_status
    assert [200, 200, 429] == inside
    assert {} == layer._memory._slots


async def _third(layer: RateLimit) -> list[int]:
    """What a third request at a time gets."""
    seen: list[int] = []

    async def nested(exchange: Exchange) -> Reply:
        seen.extend(await statuses(layer, [of_key()]))
        return await answers("Hi")(exchange)

    await run(layer, of_key(), nested)
    return seen


def fails(problem: BaseException) -> Callable[[Exchange], Awaitable[Reply]]:
    async def innermost(exchange: Exchange) -> Reply:
        raise problem

    return innermost


@pytest.mark.parametrize("problem", [BadRequest("no"), RuntimeError("bug"), asyncio.CancelledError()])
async def test_a_slot_comes_back_whatever_happens(problem: BaseException) -> None:
    layer = RateLimit(max_parallel=1)
    exchange = of_key()
    with pytest.raises(type(problem)):
        await layer(exchange, fails(problem))
    assert 1 == len(layer._memory._slots)
    refusal = problem if isinstance(problem, Refusal) else None
    for settler in reversed(exchange.settlers):
        assert settler(Outcome("refused", 500, 0.0, refusal)) is None  # nothing to wait for
    assert {} == layer._memory._slots


@pytest.mark.parametrize("option", ["requests_per_minute", "tokens_per_minute", "max_parallel"])
@pytest.mark.parametrize("value", [0, -1, "5", 1.5, True])
def test_a_limit_is_a_number_of_at_least_one(option: str, value: Any) -> None:
    with pytest.raises(ConfigError):
        construct(RateLimit, "layer", {option: value}, {})


@pytest.mark.parametrize("options", [{"when_redis_is_down": "panic"}, {"redis": "ftp://somewhere"}])
def test_options_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        construct(RateLimit, "layer", options, {})


def dried(exchange: Exchange) -> Exchange:
    exchange.dry = True
    return exchange


async def test_what_is_only_explained_takes_nothing_and_says_what_is_left() -> None:
    layer = RateLimit()
    await run(layer, of_key(**LIMITED), answers("Hi", usage=Usage(90, 10)))
    for _ in range(5):
        result = await run(layer, dried(of_key(text="x" * 400, body={"max_tokens": 50}, **LIMITED)), answers())
        assert (None, []) == (result.refusal, result.exchange.settlers)
        limits = {limit.pop("kind"): limit for limit in result.exchange.record["limits"]()}
        assert 0 < limits["requests"].pop("resets_seconds") <= 120
        assert 0 < limits["tokens"].pop("resets_seconds") <= 120
        assert {
            "requests": {"limit": 3, "left": 2, "takes": 1},
            "tokens": {"limit": 1000, "left": 900, "takes": 150},
            "parallel": {"limit": 2, "left": 2, "takes": 1, "resets_seconds": None},
        } == limits
    assert [200, 200, 429] == await statuses(layer, [of_key(**LIMITED) for _ in range(3)])


async def test_what_is_only_explained_is_refused_as_it_would_be() -> None:
    layer = RateLimit()
    await run(layer, of_key(rate_limit_rpm=1), answers("Hi"))
    result = await run(layer, dried(of_key(rate_limit_rpm=1)), answers("Hi"))
    assert isinstance(result.refusal, RateLimited)
    assert [("requests", 0)] == [(limit["kind"], limit["left"]) for limit in result.exchange.record["limits"]()]

    async def beside(exchange: Exchange) -> Reply:
        crowded = await run(layer, dried(of_key("key-2", max_parallel=1)), answers("Hi"))
        assert isinstance(crowded.refusal, RateLimited)
        assert [("parallel", 0)] == [(limit["kind"], limit["left"]) for limit in crowded.exchange.record["limits"]()]
        return await answers("Hi")(exchange)

    assert None is (await run(layer, of_key("key-2", max_parallel=1), beside)).refusal


async def test_a_request_says_in_its_record_what_was_left() -> None:
    layer = RateLimit()
    results = [await run(layer, of_key(rate_limit_rpm=2, max_parallel=9), answers("Hi")) for _ in range(3)]
    left = [[(limit["kind"], limit["left"]) for limit in result.exchange.record["limits"]()] for result in results]
    assert [[("requests", count), ("parallel", None)] for count in (2, 1, 0)] == left


def test_it_depends_on_redis_where_it_has_one() -> None:
    assert {} == RateLimit().dependencies
    assert {"redis": True} == RateLimit(redis=Secret("redis://127.0.0.1:1")).dependencies
