import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Event, Target
from ailb.errors import (
    AllProvidersUnavailable,
    BadRequest,
    ConfigError,
    InternalError,
    RateLimited,
    Refusal,
    Unavailable,
    UpstreamBroken,
    UpstreamRefusal,
    UpstreamSilent,
    UpstreamStalled,
)
from ailb.exchange import Attempt, Exchange, Outcome, Reply
from ailb.health import Healths
from ailb.models import Models
from ailb.testing import Result, StillClock, answers, ask, run
from ailb.testing_money import FixedPrices, WordCounter
from middleware.routing import Routing

OK = None
SILENT, STALLED, BROKEN = UpstreamSilent("refused"), UpstreamStalled("stalled"), UpstreamBroken("html")
BUSY, DOWN, WRONG = UpstreamRefusal(429, "slow down"), UpstreamRefusal(503, "down"), UpstreamRefusal(400, "no such field")
FILTERED = UpstreamRefusal(403, "filtered", code="content_filter")
UNFIT = BadRequest("logprobs: no word for it", param="logprobs")


class Upstreams:
    """An innermost: what each provider does, in turn; the last thing again and again."""

    def __init__(self, **does: Exception | Sequence[Exception | None] | None) -> None:
        self.does = {name: list(what) if isinstance(what, Sequence) else [what] for name, what in does.items()}
        self.asked: list[str] = []

    async def __call__(self, exchange: Exchange) -> Reply:
        target = exchange.target
        assert target is not None
        self.asked.append(target.provider)
        script = self.does[target.provider]
        what = script.pop(0) if len(script) > 1 else script[0]
        attempt = Attempt(target, exchange.prompt, 0.0)
        exchange.attempts.append(attempt)
        if what is not None:
            attempt.error = str(what)
            raise what
        return await answers(target.provider)(exchange)


def targets(names: str) -> list[Target]:
    return [Target(name, "m", priority=place) for place, name in enumerate(names)]


def routing(names: str = "ab", *, clock: StillClock | None = None, strategy: str = "failover", **options: Any) -> Routing:
    models = Models(dict.fromkeys(names, ()), {"fake-model": targets(names)})
    return laid(models, clock, strategy=strategy, **options)


def laid(models: Models, clock: StillClock | None = None, **options: Any) -> Routing:
    return Routing(models, clock or StillClock(), Healths(), FixedPrices(), WordCounter(), **options)


def in_flight(layer: Routing) -> dict[str, int]:
    return {target.provider: health.in_flight for target, health in ((health.target, health) for health in layer._desk.known.healths)}


async def test_the_first_target_answers_and_nobody_else_is_asked() -> None:
    upstreams = Upstreams(a=OK, b=OK)
    result = await run(routing(), ask(), upstreams)
    assert ("a", ["a"], Target("a", "m")) == (result.text, upstreams.asked, result.exchange.target)


@pytest.mark.parametrize("failure", [SILENT, STALLED, BROKEN, BUSY, DOWN, UNFIT])
async def test_another_target_is_asked_when_one_fails(failure: Exception) -> None:
    upstreams = Upstreams(a=failure, b=OK)
    result = await run(routing(), ask(), upstreams)
    assert ("b", ["a", "b"], "complete") == (result.text, upstreams.asked, result.outcome.status)


@pytest.mark.parametrize("failure", [WRONG, FILTERED, *(UpstreamRefusal(status, "no") for status in (404, 405, 409, 413, 415, 422))])
async def test_what_another_target_would_say_too_is_told_at_once(failure: UpstreamRefusal) -> None:
    upstreams = Upstreams(a=failure, b=OK)
    result = await run(routing(), ask(), upstreams)
    assert (failure, ["a"]) == (result.refusal, upstreams.asked)


@pytest.mark.parametrize("failure", [RateLimited("limit"), InternalError("x"), Unavailable("full")])
async def test_an_error_that_is_no_upstreams_is_not_tried_again(failure: Refusal) -> None:
    upstreams = Upstreams(a=failure, b=OK)
    result = await run(routing(), ask(), upstreams)
    assert (failure, ["a"]) == (result.refusal, upstreams.asked)


VERDICTS: list[tuple[tuple[Exception, ...], Exception | None]] = [
    ((BUSY, DOWN), DOWN),
    ((DOWN, BUSY), BUSY),
    ((DOWN, SILENT), DOWN),
    ((SILENT, BUSY), BUSY),
    ((BROKEN, BUSY), BUSY),
    ((BUSY, BROKEN), BUSY),
    ((BROKEN, SILENT), BROKEN),
    ((SILENT, WRONG), WRONG),
    ((UNFIT, UNFIT), UNFIT),
    ((UNFIT, DOWN), DOWN),
    ((SILENT, SILENT), None),
    ((SILENT, STALLED), None),
]


@pytest.mark.parametrize(("failures", "verdict"), VERDICTS)
async def test_what_is_told_when_all_failed(failures: tuple[Exception, ...], verdict: Exception | None) -> None:
    result = await run(routing(), ask(), Upstreams(a=failures[0], b=failures[1]))
    if verdict is not None:
        assert verdict is result.refusal
        return
    refusal = result.refusal
    assert isinstance(refusal, AllProvidersUnavailable)
    attempts = [{"provider": name, "model": "m", "error": str(failure)} for name, failure in zip("ab", failures, strict=True)]
    assert (503, attempts, {"retry-after": "1"}) == (refusal.status, refusal.attempts, refusal.headers)


async def test_an_open_circuit_is_passed_over_and_told() -> None:
    clock = StillClock()
    layer = routing(clock=clock, open_after=2, open_seconds=30)
    upstreams = Upstreams(a=SILENT, b=SILENT)
    for _ in range(2):
        await run(layer, ask(), upstreams)
    clock.advance(12.5)
    result = await run(layer, ask(), upstreams)
    assert upstreams.asked == ["a", "b"] * 2
    assert isinstance(result.refusal, AllProvidersUnavailable)
    assert result.refusal.headers == {"retry-after": "18"}
    assert result.refusal.attempts == [{"provider": name, "model": "m", "error": "circuit open"} for name in "ab"]


@pytest.mark.parametrize(
    ("failure", "opens"), [(SILENT, True), (STALLED, True), (BROKEN, True), (DOWN, True), (BUSY, False), (UNFIT, False)]
)
async def test_what_opens_a_circuit(failure: Exception, opens: bool) -> None:
    layer = routing(open_after=2)
    upstreams = Upstreams(a=failure, b=OK)
    for _ in range(4):
        await run(layer, ask(), upstreams)
    assert (2 if opens else 4) == upstreams.asked.count("a")


async def test_a_circuit_closes_when_the_probe_succeeds() -> None:
    clock = StillClock()
    layer = routing(clock=clock, open_after=1, open_seconds=30)
    upstreams = Upstreams(a=[SILENT, SILENT, OK], b=OK)
    for _ in range(2):
        assert (await run(layer, ask(), upstreams)).text == "b"
    clock.advance(30)
    assert (await run(layer, ask(), upstreams)).text == "b"
    clock.advance(30)
    assert ["a", "a"] == [(await run(layer, ask(), upstreams)).text for _ in range(2)]


class Held:
    """An innermost whose first provider waits until it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.entered = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, exchange: Exchange) -> Reply:
        assert exchange.target is not None
        self.asked.append(exchange.target.provider)
        if exchange.target.provider == "a":
            self.entered.set()
            await self.go.wait()
        return await answers(exchange.target.provider)(exchange)


async def opened(clock: StillClock) -> Routing:
    """Whose first target is half open."""
    layer = routing(clock=clock, open_after=1, open_seconds=30)
    await run(layer, ask(), Upstreams(a=SILENT, b=OK))
    clock.advance(30)
    return layer


async def test_of_many_at_once_exactly_one_probes() -> None:
    layer = await opened(StillClock())
    held = Held()
    tasks = [asyncio.create_task(run(layer, ask(), held)) for _ in range(100)]
    await asyncio.wait_for(held.entered.wait(), 10)
    while sum(task.done() for task in tasks) < 99:
        await asyncio.wait([task for task in tasks if not task.done()], timeout=10, return_when=asyncio.FIRST_COMPLETED)
    held.go.set()
    results = await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert 1 == held.asked.count("a")
    assert ["a", *["b"] * 99] == sorted(result.text for result in results)
    assert {"a": 0, "b": 0} == in_flight(layer)


def outcome(status: Any, refusal: Refusal | None = None) -> Outcome:
    return Outcome(status, 200, 0.0, refusal)


async def begun(layer: Routing, innermost: Callable[[Exchange], Any]) -> Exchange:
    """An exchange whose reply is there, and which is not settled."""
    exchange = ask()
    await layer(exchange, innermost)
    return exchange


def settle(exchange: Exchange, came_to: Outcome) -> None:
    for settler in reversed(exchange.settlers):
        settler(came_to)


@pytest.mark.parametrize(
    ("came_to", "next_to_answer"),
    [
        (outcome("complete"), "a"),
        (outcome("disconnected"), "a"),
        (outcome("broken", UpstreamBroken("cut")), "b"),
        (outcome("refused", UpstreamBroken("cut")), "b"),
        (outcome("broken", Unavailable("draining")), "a"),
        (outcome("broken"), "a"),
    ],
)
async def test_an_answers_end_tells_about_its_target_where_it_does(came_to: Outcome, next_to_answer: str) -> None:
    layer = routing(open_after=1)
    settle(await begun(layer, Upstreams(a=OK)), came_to)
    assert next_to_answer == (await run(layer, ask(), Upstreams(a=OK, b=OK))).text


async def test_a_probe_whose_client_left_makes_room_for_the_next() -> None:
    layer = await opened(StillClock())
    settle(await begun(layer, Upstreams(a=OK)), outcome("disconnected"))
    assert (await run(layer, ask(), Upstreams(a=OK, b=OK))).text == "a"


async def test_a_client_that_left_from_before_does_not_let_a_second_probe_in() -> None:
    clock = StillClock()
    layer = routing(clock=clock, open_after=1, open_seconds=30)
    early = await begun(layer, Upstreams(a=OK))
    await run(layer, ask(), Upstreams(a=SILENT, b=OK))
    clock.advance(30)
    probe = await begun(layer, Upstreams(a=OK))
    settle(early, outcome("disconnected"))
    assert (await run(layer, ask(), Upstreams(a=OK, b=OK))).text == "b"
    settle(probe, outcome("complete"))
    assert (await run(layer, ask(), Upstreams(a=OK, b=OK))).text == "a"


async def test_a_target_is_busy_until_its_answer_is_over() -> None:
    layer = routing()
    first, second = await begun(layer, Upstreams(a=OK)), await begun(layer, Upstreams(a=SILENT, b=OK))
    assert {"a": 1, "b": 1} == in_flight(layer)
    settle(first, outcome("complete"))
    settle(second, outcome("broken"))
    assert {"a": 0, "b": 0} == in_flight(layer)


SCRIPTS = st.lists(
    st.sampled_from([OK, SILENT, STALLED, BROKEN, BUSY, DOWN, WRONG, UNFIT, RateLimited("x"), ValueError("bug")]), min_size=1
)
ENDS = st.sampled_from(["complete", "broken", "disconnected", "refused"])


@given(
    SCRIPTS, SCRIPTS, st.lists(st.tuples(ENDS, st.integers(0, 40)), max_size=12), st.sampled_from(["failover", "load_balanced", "random"])
)
def test_whatever_happens_nobody_stays_in_flight(
    a: list[Exception | None], b: list[Exception | None], ends: list[tuple[str, int]], strategy: str
) -> None:
    """Exchanges begin, and end in any order later on."""

    async def all_of_it() -> None:
        clock = StillClock()
        layer = routing(clock=clock, strategy=strategy, open_after=2, open_seconds=20)
        upstreams = Upstreams(a=a, b=b)
        waiting: list[tuple[Exchange, str]] = []
        for end, seconds in ends:
            exchange = ask()
            try:
                await layer(exchange, upstreams)
            except (Refusal, ValueError):
                end = "refused"
            waiting.insert(seconds % (len(waiting) + 1), (exchange, end))
            clock.advance(seconds)
        for exchange, end in waiting:
            settle(exchange, outcome(end))
        assert set(in_flight(layer).values()) <= {0}
        assert not any(health.breaker.probing for health in layer._desk.known.healths)

    asyncio.run(all_of_it())


async def test_a_cancelled_attempt_is_counted_out_at_once() -> None:
    layer = routing()
    held = Held()
    exchange = ask()
    task = asyncio.ensure_future(layer(exchange, held))
    await asyncio.wait_for(held.entered.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert in_flight(layer) == {"a": 0, "b": 0}
    settle(exchange, outcome("disconnected"))
    assert in_flight(layer) == {"a": 0, "b": 0}


async def served_by(layer: Routing, **body: Any) -> Result:
    return await run(layer, ask(**body), Upstreams(a=OK, b=OK, local=OK))


async def test_without_a_model_the_default_is_asked() -> None:
    layer = laid(Models({"a": ("m1",), "b": ("m2",)}, default="m2"))
    assert (await served_by(layer, model=None)).text == "b"
    assert (await served_by(layer, model="a/m1")).text == "a"


async def test_without_a_model_and_a_default_the_client_is_told() -> None:
    refusal = (await served_by(laid(Models({"a": ("m",)})), model=None)).refusal
    assert isinstance(refusal, BadRequest)
    assert refusal.param == "model"


async def test_a_model_that_nobody_serves() -> None:
    assert (await served_by(routing(), model="fake-modal")).outcome.http_status == 404


def test_a_strategy_that_there_is_not() -> None:
    with pytest.raises(ConfigError, match=r"no strategy 'loadbalanced'; did you mean load_balanced\?"):
        routing(strategy="loadbalanced")


async def test_events_pass_untouched() -> None:
    event = Event.whole({"x": 1})

    async def innermost(exchange: Exchange) -> Reply:
        async def batches() -> Any:
            yield [event]

        return Reply(batches())

    assert [event] == (await run(routing(), ask(), innermost)).events


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_a_wait_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="most_wait_seconds must be 0 or more"):
        routing(most_wait_seconds=seconds)
