"""The whole way: the layer over real attempts at providers that follow a script."""

import asyncio
import gc
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any

import pytest

from ailb.dialect import Target
from ailb.errors import AllProvidersUnavailable, BadRequest, UpstreamRefusal, UpstreamSilent
from ailb.exchange import Attempt, Exchange, Reply
from ailb.health import Healths
from ailb.keys import Key
from ailb.latency import LEAST
from ailb.models import Models, Route
from ailb.prompt import Prompt
from ailb.stack import Innermost
from ailb.testing import Result, StillClock, answers, ask, run
from ailb.testing_money import FixedPrices, WordCounter
from middleware.routing import Routing

SILENT, DOWN = UpstreamSilent("refused"), UpstreamRefusal(503, "down")
BUSY = UpstreamRefusal(429, "slow down", headers={"retry-after": "30"})
WRONG = UpstreamRefusal(400, "no such field")
LONG = UpstreamRefusal(400, "too long", code="context_length_exceeded")
FILTERED = UpstreamRefusal(400, "filtered", code="content_filter")
TOOLS = [{"type": "function", "function": {"name": "f"}}]


class Script:
    """A provider: what it does in turn, the last thing again and again; None is an answer, an event is waited for first."""

    def __init__(self, *steps: Exception | asyncio.Event | None) -> None:
        self.steps = list(steps)
        self.asked = asyncio.Event()
        self.times = 0
        self.cancelled = 0

    async def __call__(self, exchange: Exchange, attempt: Attempt) -> Reply:
        self.times += 1
        self.asked.set()
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, asyncio.Event):
            try:
                await step.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        elif step is not None:
            raise step
        return await answers(attempt.target.provider)(exchange)


class Town:
    """Providers by name; `models` says which of them serve what, in the order in which they are asked."""

    def __init__(self, models: Mapping[str, str], routes: Mapping[str, Route] | None = None, /, **providers: Script) -> None:
        self.providers = providers
        self.clock = StillClock()
        self.healths = Healths()
        targets = {model: [Target(name, model, priority=place) for place, name in enumerate(names)] for model, names in models.items()}
        self.models = Models(dict.fromkeys(providers, ()), targets, routes=routes)
        self.innermost = Innermost(providers)

    def layer(self, **options: Any) -> Routing:
        options = {"strategy": "failover", **options}
        return Routing(self.models, self.clock, self.healths, FixedPrices(), WordCounter(), **options)

    async def ask(self, exchange: Exchange | None = None, /, **options: Any) -> Result:
        return await run(self.layer(**options), exchange or ask(model="m"), self.innermost)

    @property
    def times(self) -> list[int]:
        return [provider.times for provider in self.providers.values()]


@pytest.mark.parametrize("failure", [SILENT, DOWN, UpstreamRefusal(429, "slow down")])
async def test_all_are_asked_again_as_often_as_wanted(failure: Exception) -> None:
    town = Town({"m": "ab"}, a=Script(failure), b=Script(failure, failure, None))
    result = await town.ask(retries=2)
    assert ("b", [3, 3], 2) == (result.text, town.times, result.exchange.notes["retries"])


async def test_without_retries_each_is_asked_once() -> None:
    town = Town({"m": "ab"}, a=Script(DOWN), b=Script(DOWN))
    assert (DOWN, [1, 1]) == ((await town.ask()).refusal, town.times)


@pytest.mark.parametrize("failure", [WRONG, UpstreamRefusal(401, "whose key is that")])
async def test_what_would_be_the_same_again_is_not_tried_again(failure: Exception) -> None:
    town = Town({"m": "a"}, a=Script(failure))
    assert (failure, [1]) == ((await town.ask(retries=3)).refusal, town.times)


async def test_retries_end_when_they_are_too_many_among_all_requests() -> None:
    town = Town({"m": "a"}, a=Script(DOWN))
    layer = town.layer(retries=1, open_after=1000)
    told = []
    layer._desk.budget._tokens = 0.0
    for _ in range(20):
        told.append("retries_used_up" in (await run(layer, ask(model="m"), town.innermost)).exchange.notes)
    assert ([20 + 4], 20 - 4) == (town.times, sum(told))


async def test_a_client_that_leaves_while_one_waits_is_not_asked_for_again() -> None:
    town = Town({"m": "a"}, a=Script(BUSY))
    task = asyncio.create_task(town.ask(retries=3, most_wait_seconds=60.0))
    await town.providers["a"].asked.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [1] == town.times


async def test_nobody_waits_for_longer_than_the_most() -> None:
    town = Town({"m": "a"}, a=Script(BUSY, None))
    result = await town.ask(retries=3)
    assert (BUSY, [1], True) == (result.refusal, town.times, result.exchange.notes["waits_too_long"])
    assert town.layer()._desk.budget._tokens == 10


async def test_who_wants_a_longer_wait_is_left_out_of_the_next_round() -> None:
    town = Town({"m": "ab"}, a=Script(BUSY, None), b=Script(DOWN))
    result = await town.ask(retries=1)
    assert (DOWN, [1, 2], 1) == (result.refusal, town.times, result.exchange.notes["retries"])


async def test_no_more_attempts_than_the_most() -> None:
    town = Town({"m": "abc"}, a=Script(DOWN), b=Script(SILENT), c=Script(None))
    result = await town.ask(most_attempts=2)
    assert (DOWN, [1, 1, 0]) == (result.refusal, town.times)
    assert "enough were asked" in {candidate["reason"] for candidate in result.exchange.record["candidates"]()}


async def test_who_rests_is_asked_last() -> None:
    town = Town({"m": "ab"}, a=Script(BUSY, None), b=Script(None))
    layer = town.layer()
    assert ["b", "b"] == [(await run(layer, ask(model="m"), town.innermost)).text for _ in range(2)]
    assert 1 == town.providers["a"].times
    town.clock.advance(30)
    assert "a" == (await run(layer, ask(model="m"), town.innermost)).text


async def test_who_rests_is_asked_where_there_is_nobody_else() -> None:
    town = Town({"m": "a"}, a=Script(BUSY, None))
    layer = town.layer()
    assert BUSY is (await run(layer, ask(model="m"), town.innermost)).refusal
    assert "a" == (await run(layer, ask(model="m"), town.innermost)).text


async def test_a_full_target_is_passed_over() -> None:
    town = Town({"m": "a"}, a=Script(None), b=Script(None))
    town.models = Models({}, {"m": [Target("a", "m", max_parallel=1), Target("b", "m", priority=1, max_parallel=1)]})
    layer = town.layer()
    exchanges = [ask(model="m") for _ in range(3)]
    for exchange in exchanges[:2]:
        await layer(exchange, town.innermost)
    assert ["a", "b"] == [exchange.attempts[0].target.provider for exchange in exchanges[:2]]
    with pytest.raises(AllProvidersUnavailable) as refused:
        await layer(exchanges[2], town.innermost)
    assert ["max_parallel reached"] * 2 == [attempt["error"] for attempt in refused.value.attempts]
    assert [1, 1] == town.times


FALLBACKS = {"m": Route(fallbacks={"any": ["any"], "rate_limit": ["limit"], "context_length": ["long"], "content_policy": ["policy"]})}
MODELS = {"m": "ab", "any": "c", "limit": "d", "long": "e", "policy": "f"}


@pytest.mark.parametrize(
    ("failure", "answered_by", "model", "asked"),
    [
        (SILENT, "c", "any", [1, 1]),
        (DOWN, "c", "any", [1, 1]),
        (UpstreamRefusal(429, "slow down"), "d", "limit", [1, 1]),
        (LONG, "e", "long", [1, 0]),
        (FILTERED, "f", "policy", [1, 0]),
    ],
)
async def test_another_model_by_what_went_wrong(failure: Exception, answered_by: str, model: str, asked: list[int]) -> None:
    scripts = {name: Script(failure if name in "ab" else None) for name in "abcdef"}
    town = Town(MODELS, FALLBACKS, **scripts)
    result = await town.ask()
    assert (answered_by, Target(answered_by, model), model) == (result.text, result.exchange.target, result.exchange.notes["fallback"])
    assert asked == town.times[:2]


async def test_what_is_wrong_with_the_request_has_no_fallback() -> None:
    town = Town(MODELS, FALLBACKS, **{name: Script(WRONG if name in "ab" else None) for name in "abcdef"})
    assert (WRONG, [1, 0, 0, 0, 0, 0]) == ((await town.ask()).refusal, town.times)


async def test_fallbacks_are_asked_in_turn_and_each_once() -> None:
    routes = {"m": Route(fallbacks={"any": ["x", "m", "gone", "y"]}), "x": Route(fallbacks={"any": ["m"]})}
    town = Town({"m": "a", "x": "b", "y": "c"}, routes, a=Script(DOWN), b=Script(SILENT), c=Script(None))
    assert ("c", [1, 1, 1]) == ((await town.ask()).text, town.times)


async def test_a_fallback_that_the_key_may_not_use_is_passed_over() -> None:
    town = Town({"m": "a", "x": "b", "y": "c"}, {"m": Route(fallbacks={"any": ["x", "y"]})}, a=Script(DOWN), b=Script(None), c=Script(None))
    exchange = ask(model="m")
    exchange.caller.key = Key("key-1", "ann", allowed_models=("m", "y"))
    assert ("c", [1, 0, 1]) == ((await town.ask(exchange)).text, town.times)


async def test_a_target_that_cannot_do_it_is_not_asked() -> None:
    town = Town({}, a=Script(None), b=Script(None))
    town.models = Models({}, {"m": [Target("a", "m", lacks=frozenset({"tools"})), Target("b", "m", priority=1)]})
    result = await town.ask(ask(model="m", tools=TOOLS))
    assert ("b", [0, 1]) == (result.text, town.times)
    reasons = {candidate["provider"]: candidate["reason"] for candidate in result.exchange.record["candidates"]()}
    assert {"a": "cannot do tools", "b": ""} == reasons


async def test_when_nobody_can_do_it_the_client_is_told_why() -> None:
    town = Town({}, a=Script(None), b=Script(None))
    town.models = Models({}, {"m": [Target("a", "m", lacks=frozenset({"tools"}))]})
    refusal = (await town.ask(ask(model="m", tools=TOOLS))).refusal
    assert isinstance(refusal, BadRequest)
    assert ("no target of m can take this request: it cannot do tools", "model", [0, 0]) == (refusal.message, refusal.param, town.times)


async def test_who_cannot_do_it_may_have_a_fallback_that_can() -> None:
    town = Town({}, a=Script(None), b=Script(None))
    models = {"m": [Target("a", "m", lacks=frozenset({"tools"}))], "x": [Target("b", "x")]}
    town.models = Models({}, models, routes={"m": Route(fallbacks={"any": ["x"]})})
    assert ("b", [0, 1]) == ((await town.ask(ask(model="m", tools=TOOLS))).text, town.times)


async def test_what_is_too_long_for_one_goes_to_the_other() -> None:
    town = Town({}, a=Script(None), b=Script(None))
    town.models = Models({}, {"m": [Target("a", "m", context=1000), Target("b", "m", priority=1, context=100_000)]})
    assert "b" == (await town.ask(ask("word " * 3000, model="m"))).text
    assert "a" == (await town.ask(ask("word", model="m"))).text


async def test_a_session_stays_with_its_target() -> None:
    town = Town({"m": "abcd"}, **{name: Script(None) for name in "abcd"})
    layer = town.layer(strategy="random", sticky="session")
    texts = {
        session: {(await run(layer, ask(model="m", session_id=session), town.innermost)).text for _ in range(10)} for session in "stuvwxyz"
    }
    assert {1} == {len(answered) for answered in texts.values()}
    assert 1 < len(set.union(*texts.values()))


async def test_a_session_moves_while_its_target_is_down() -> None:
    town = Town({"m": "ab"}, a=Script(None), b=Script(None))
    layer = town.layer(strategy="failover", sticky="session")
    own = (await run(layer, ask(model="m", session_id="s"), town.innermost)).text
    town.providers[own].steps = [SILENT, None]
    texts = [(await run(layer, ask(model="m", session_id="s"), town.innermost)).text for _ in range(2)]
    assert [({"a", "b"} - {own}).pop(), own] == texts


def fast(town: Town, *names: str) -> None:
    """Their answers have all come within a millisecond."""
    for name in names:
        for _ in range(LEAST):
            town.healths.of(Target(name, "m")).latency.observe(0.001, town.clock.monotonic())


async def hedged(town: Town, **body: Any) -> Result:
    return await town.ask(ask(model="m", stream=True, **body), hedge=True)


async def test_a_slow_target_is_hedged_and_both_are_on_record() -> None:
    town = Town({"m": "ab"}, a=Script(asyncio.Event()), b=Script(None))
    fast(town, "a")
    result = await hedged(town)
    exchange = result.exchange
    assert ("b", "b", True, [1, 1], 1) == (
        result.text,
        exchange.target and exchange.target.provider,
        exchange.notes["hedged"],
        town.times,
        town.providers["a"].cancelled,
    )
    assert [("a", True), ("b", False)] == [(attempt.target.provider, attempt.abandoned) for attempt in exchange.attempts]
    assert exchange.answered is exchange.attempts[1]
    assert {0} == {health.in_flight for health in town.healths}


@pytest.mark.parametrize("body", [{"tools": TOOLS}])
async def test_a_request_with_tools_is_never_hedged(body: dict[str, Any]) -> None:
    go = asyncio.Event()
    town = Town({"m": "ab"}, a=Script(go), b=Script(None))
    fast(town, "a")
    task = asyncio.create_task(hedged(town, **body))
    await town.providers["a"].asked.wait()
    asyncio.get_running_loop().call_later(0.02, go.set)
    assert ("a", [1, 0]) == ((await task).text, town.times)


async def test_before_anybody_knows_what_is_slow_nothing_is_hedged() -> None:
    go = asyncio.Event()
    town = Town({"m": "ab"}, a=Script(go), b=Script(None))
    asyncio.get_running_loop().call_later(0.02, go.set)
    assert ("a", [1, 0]) == ((await hedged(town)).text, town.times)


async def test_when_the_hedge_fails_the_rest_are_asked() -> None:
    failing = asyncio.Event()
    town = Town({"m": "abc"}, a=Script(failing), b=Script(DOWN), c=Script(None))
    fast(town, "a")
    town.providers["a"].steps = [failing, SILENT]

    class Fails(Script):
        async def __call__(self, exchange: Exchange, attempt: Attempt) -> Reply:
            self.times += 1
            await town.providers["b"].asked.wait()
            raise SILENT

    town.providers["a"] = Fails(None)
    town.innermost = Innermost(town.providers)
    assert ("c", [1, 1, 1]) == ((await hedged(town)).text, town.times)


async def test_dry_nobody_is_asked_and_everybody_is_told() -> None:
    town = Town({"m": "ab"}, a=Script(None), b=Script(None))
    exchange = ask(model="m")
    exchange.dry = True
    await town.ask(exchange)
    candidates: Sequence[Mapping[str, Any]] = exchange.record["candidates"]()
    assert ([0, 0], "failover", ["a", "b"]) == (town.times, exchange.record["strategy"], [c["provider"] for c in candidates])
    assert Target("a", "m") == exchange.target
    assert {0} == {health.in_flight for health in town.healths}


async def test_dry_a_probe_is_not_used_up() -> None:
    town = Town({"m": "a"}, a=Script(SILENT, None))
    layer = town.layer(open_after=1, open_seconds=10)
    await run(layer, ask(model="m"), town.innermost)
    town.clock.advance(10)
    exchange = ask(model="m")
    exchange.dry = True
    await run(layer, exchange, town.innermost)
    assert "a" == (await run(layer, ask(model="m"), town.innermost)).text


async def test_who_has_no_word_for_it_is_told_once() -> None:
    town = Town({"m": "ab"}, a=Script(BadRequest("no word for it")), b=Script(SILENT))
    result = await town.ask()
    assert isinstance(result.refusal, AllProvidersUnavailable)
    assert [("a", "no word for it"), ("b", "refused")] == [(attempt["provider"], attempt["error"]) for attempt in result.refusal.attempts]
    assert ["no word for it", ""] == [candidate["reason"] for candidate in result.exchange.record["candidates"]()]


def reached(start: object) -> Iterator[object]:
    """Everything that `start` keeps alive, but classes, modules and functions."""
    seen, queue = {id(start)}, [start]
    while queue:
        one = queue.pop()
        yield one
        for other in gc.get_referents(one):
            if id(other) not in seen and not isinstance(other, type | ModuleType | FunctionType):
                seen.add(id(other))
                queue.append(other)


async def test_what_is_kept_for_a_record_holds_on_to_nothing_of_the_request() -> None:
    town = Town({"m": "ab"}, a=Script(SILENT), b=Script(None))
    exchange = ask(model="m")
    await town.ask(exchange)
    candidates: Any = exchange.record["candidates"]
    kept = list(reached(candidates))
    assert any(one is next(iter(town.healths)) for one in kept)
    assert [] == [one for one in kept if isinstance(one, Exchange | Prompt)]
