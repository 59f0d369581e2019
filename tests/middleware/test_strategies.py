from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Target
from ailb.health import Health
from ailb.strategy import Asked, Ranking, Strategy
from ailb.testing import ask
from middleware.strategies import (
    STALE_SECONDS,
    STRATEGIES,
    cost_optimized,
    drawn,
    failover,
    latency_optimized,
    load_balanced,
    random,
    round_robin,
)

ROUNDS = 10_000
MINUTE = 60.0


def free(target: Target) -> int | None:
    return 0


def asking(number: int = 0, cost: Callable[[Target], int | None] = free, *, stream: bool = True, now: float = 0.0) -> Asked:
    exchange = ask(stream=stream)
    return Asked(exchange.prompt, exchange.caller, number, now, cost)


def made(weights: Sequence[float], in_flight: Sequence[int] = ()) -> list[Health]:
    """One target for each weight, named a, b, c..."""
    return [
        Health(Target(name, "m", weight), in_flight=load)
        for name, weight, load in zip("abcdefghij", weights, [*in_flight, *([0] * (len(weights) - len(in_flight)))], strict=False)
    ]


def names(ranking: Ranking) -> str:
    return "".join(health.target.provider for _, health in ranking)


def scores(ranking: Ranking) -> dict[str, float]:
    return {health.target.provider: score for score, health in ranking}


def firsts(strategy: Strategy, healths: Sequence[Health], dice: Random | None = None) -> dict[str, float]:
    """How often each came first, as a share."""
    dice = dice or Random(7)
    found = Counter(names(strategy(asking(number), healths, dice))[0] for number in range(ROUNDS))
    return {name: count / ROUNDS for name, count in found.items()}


@st.composite
def some(draw: st.DrawFn) -> list[Health]:
    """Healths as they may be, some of them alike."""
    healths = []
    for _ in range(draw(st.integers(1, 6))):
        weight, priority = draw(st.floats(1e-6, 1e6)), draw(st.integers(0, 3))
        health = Health(Target(draw(st.sampled_from("abc")), "m", weight, priority), in_flight=draw(st.integers(0, 50)))
        for _ in range(draw(st.integers(0, 2))):
            health.latency.observe(draw(st.floats(1e-6, 1e6)), draw(st.floats(0, 1e6)), draw(st.none() | st.integers(0, 9999)))
        healths.append(health)
    return healths


@given(some(), st.sampled_from(sorted(STRATEGIES)), st.integers(), st.integers(0, 10**9), st.booleans())
def test_every_strategy_asks_everybody_once_and_changes_nobody(
    healths: list[Health], name: str, seed: int, number: int, stream: bool
) -> None:
    given, states = list(healths), repr(healths)
    asked = asking(number, lambda target: hash(target) % 3 or None, stream=stream, now=float(number))
    ranking = STRATEGIES[name](asked, tuple(healths), Random(seed))
    assert Counter(map(id, healths)) == Counter(id(health) for _, health in ranking)
    assert all(isinstance(score, float) for score, _ in ranking)
    assert (given, states) == (healths, repr(healths))


@given(some(), st.sampled_from(sorted(STRATEGIES)), st.integers())
def test_the_same_dice_give_the_same_ranking(healths: list[Health], name: str, seed: int) -> None:
    first, second = (STRATEGIES[name](asking(seed % 1000), healths, Random(seed)) for _ in range(2))
    assert [id(health) for _, health in first] == [id(health) for _, health in second]


WEIGHTS = [(1.0, 1.0), (4.0, 1.0), (8.0, 1.0, 1.0), (0.5, 0.25, 0.25), (1.0,) * 10, (1e-3, 2e-3), (50.0, 20.0, 10.0, 10.0, 5.0, 5.0)]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("strategy", [load_balanced, round_robin, random])
def test_weights_are_shares(strategy: Strategy, weights: tuple[float, ...]) -> None:
    found = firsts(strategy, made(weights))
    assert [weight / sum(weights) for weight in weights] == pytest.approx([found[name] for name in "abcdefghij"[: len(weights)]], abs=0.015)


@given(st.lists(st.floats(1.0, 100.0), min_size=2, max_size=8))
def test_turns_keep_to_the_weights_all_along(weights: list[float]) -> None:
    """However many turns there were, nobody is more than a few requests from its share."""
    healths, seen = made(weights), Counter[str]()
    for number in range(500):
        seen[names(round_robin(asking(number), healths, Random(0)))[0]] += 1
        if number % 20 == 19:
            for health in healths:
                assert abs(seen[health.target.provider] - (number + 1) * health.target.weight / sum(weights)) < 5


def test_equal_weights_take_strict_turns() -> None:
    healths = made((2.0, 2.0, 2.0))
    assert ["abc", "bca", "cab", "abc"] == [names(round_robin(asking(number), healths, Random(0))) for number in range(4)]
    assert {"b": 0.0, "c": 1.0, "a": 2.0} == scores(round_robin(asking(1), healths, Random(0)))


@pytest.mark.parametrize(("priorities", "expected"), [((0, 0, 0), "abc"), ((2, 1, 0), "cba"), ((1, 0, 1), "bac"), ((5, 5, 0), "cab")])
def test_failover_is_by_priority_then_by_place(priorities: tuple[int, int, int], expected: str) -> None:
    healths = [Health(Target(name, "m", priority=priority)) for name, priority in zip("abc", priorities, strict=True)]
    ranking = failover(asking(), healths, Random(0))
    assert expected == names(ranking)
    assert sorted(map(float, priorities)) == [score for score, _ in ranking]


@given(some(), st.integers())
def test_failover_never_goes_against_priority(healths: list[Health], seed: int) -> None:
    order = [health.target.priority for _, health in failover(asking(), healths, Random(seed))]
    assert sorted(order) == order


@pytest.mark.parametrize(
    ("weights", "in_flight", "expected"),
    [
        ((1.0, 1.0), (3, 2), {"b": 1.0}),
        ((1.0, 1.0), (0, 1), {"a": 1.0}),
        ((4.0, 1.0), (0, 1), {"a": 1.0}),
        ((4.0, 1.0), (20, 0), {"b": 1.0}),
        ((4.0, 1.0), (8, 2), {"a": 0.8, "b": 0.2}),
    ],
)
def test_the_less_busy_of_two_comes_first(weights: tuple[float, ...], in_flight: tuple[int, ...], expected: dict[str, float]) -> None:
    assert expected == pytest.approx(firsts(load_balanced, made(weights, in_flight)), abs=0.015)


def test_the_busiest_of_three_never_comes_first() -> None:
    assert "a" not in firsts(load_balanced, made((1.0, 1.0, 1.0), (9,)))


def test_load_balanced_shows_how_busy_they_are() -> None:
    assert {"a": 1.5, "b": 4.0} == scores(load_balanced(asking(), made((2.0, 1.0), (3, 4)), Random(0)))


def test_plain_chance_does_not_look_at_the_load() -> None:
    assert firsts(random, made((1.0, 1.0), (1000, 0)))["a"] == pytest.approx(0.5, abs=0.015)
    assert {"a": 0.75, "b": 0.25} == scores(random(asking(), made((3.0, 1.0)), Random(0)))


def costing(costs: Mapping[str, int | None]) -> Asked:
    return asking(cost=lambda target: costs[target.provider])


@given(st.lists(st.none() | st.integers(0, 5), min_size=1, max_size=8), st.lists(st.integers(0, 9), max_size=8), st.integers())
def test_the_cheapest_comes_first_and_who_has_no_price_last(costs: list[int | None], in_flight: list[int], seed: int) -> None:
    asked = costing(dict(zip("abcdefgh", costs, strict=False)))
    ranking = cost_optimized(asked, made((1.0,) * len(costs), in_flight[: len(costs)]), Random(seed))
    expected = sorted(inf if cost is None else float(cost) for cost in costs)
    assert expected == [score for score, _ in ranking]


def test_equally_dear_ones_go_by_load_then_by_weight() -> None:
    asked = costing({"a": 5, "b": 5, "c": 5})
    assert {"b": 1.0} == firsts_of(lambda: cost_optimized(asked, made((1.0, 1.0, 1.0), (2, 0, 1)), DICE))
    assert {"a": 0.5, "b": 0.25, "c": 0.25} == pytest.approx(
        firsts_of(lambda: cost_optimized(asked, made((2.0, 1.0, 1.0)), DICE)), abs=0.015
    )


DICE = Random(3)


def firsts_of(rank: Callable[[], Ranking]) -> dict[str, float]:
    found = Counter(names(rank())[0] for _ in range(ROUNDS))
    return {name: count / ROUNDS for name, count in found.items()}


def fast(healths: Sequence[Health], seconds: Sequence[float | None], at: float = 0.0, tokens: int | None = None) -> list[Health]:
    for health, value in zip(healths, seconds, strict=True):
        if value is not None:
            health.latency.observe(value, at, tokens)
    return list(healths)


@pytest.mark.parametrize(
    ("seconds", "in_flight", "weights", "expected"),
    [
        ((0.3, 0.2, 0.1), (), (1.0, 1.0, 1.0), "cba"),
        ((0.1, 0.15, 0.5), (3, 0, 0), (1.0, 1.0, 1.0), "bac"),
        ((0.1, 1.0, 0.15), (9, 0, 9), (1.0, 1.0, 1.0), "acb"),
        ((0.1, 0.1, 0.1), (2, 1, 0), (1.0, 1.0, 1.0), "cba"),
        ((0.3, 0.2, 0.1), (), (16.0, 1.0, 1.0), "acb"),
        ((0.3, None, 0.1), (0, 1, 0), (1.0, 1.0, 1.0), "cba"),
        ((None, None, None), (1, 2, 0), (1.0, 1.0, 1.0), "cab"),
    ],
)
def test_the_fastest_for_its_load_comes_first(
    seconds: tuple[float | None, ...], in_flight: tuple[int, ...], weights: tuple[float, ...], expected: str
) -> None:
    healths = fast(made(weights, in_flight), seconds)
    assert expected == names(latency_optimized(asking(), healths, Certain()))


class Certain(Random):
    """Never explores."""

    def random(self) -> float:
        return 0.5


def test_the_score_is_seconds_times_the_root_of_the_load_by_weight() -> None:
    healths = fast(made((1.0, 4.0, 1.0), (3, 0, 8)), (0.5, 1.0, None))
    assert {"a": 1.0, "b": 0.5, "c": 1.5} == scores(latency_optimized(asking(), healths, Certain()))


def failing(health: Health, failures: int, attempts: int, at: float = 0.0) -> None:
    for number in range(attempts):
        health.failing.observe(number < failures, at)


@pytest.mark.parametrize("name", ["load_balanced", "latency_optimized"])
def test_who_fails_comes_last_though_it_has_nothing_to_do(name: str) -> None:
    healths = fast(made((1.0, 1.0), (3, 0)), (0.1, 0.1))
    failing(healths[1], 30, 100)
    assert firsts(STRATEGIES[name], healths)["a"] > 0.95


@pytest.mark.parametrize("name", ["random", "round_robin", "failover"])
def test_who_looks_at_nothing_does_not_look_at_failures(name: str) -> None:
    well, ill = made((1.0, 1.0)), made((1.0, 1.0))
    failing(ill[0], 30, 100)
    assert firsts(STRATEGIES[name], well) == firsts(STRATEGIES[name], ill)


def test_streams_and_whole_answers_each_have_their_fastest() -> None:
    healths = fast(fast(made((1.0, 1.0)), (0.1, 0.2)), (9.0, 3.0), tokens=256)
    for stream, expected in ((True, "ab"), (False, "ba")):
        assert expected == names(latency_optimized(asking(stream=stream), healths, Certain()))


def test_now_and_then_who_was_not_heard_of_for_long_is_asked() -> None:
    healths = fast(made((1.0, 1.0, 1.0)), (0.1, 5.0, 5.0))
    healths[0].latency.observe(0.1, MINUTE)
    healths[2].latency.observe(5.0, 1.0)
    found = firsts_of(lambda: latency_optimized(asking(now=MINUTE), healths, DICE))
    assert {"a": 0.95, "b": 0.05} == pytest.approx(found, abs=0.015)


@pytest.mark.parametrize(("now", "in_flight"), [(STALE_SECONDS, 0), (MINUTE, 1)])
def test_nobody_is_looked_at_who_is_known_or_about_to_be(now: float, in_flight: int) -> None:
    healths = fast(made((1.0, 1.0), (0, in_flight)), (0.1, 5.0))
    healths[0].latency.observe(0.1, now)
    assert {"a": 1.0} == firsts_of(lambda: latency_optimized(asking(now=now), healths, DICE))


def test_nobody_is_looked_at_who_is_known_to_fail() -> None:
    healths = fast(made((1.0, 1.0)), (0.1, 5.0))
    healths[0].latency.observe(0.1, MINUTE)
    failing(healths[1], 1, 1, MINUTE - 2 * STALE_SECONDS)
    assert {"a": 1.0} == firsts_of(lambda: latency_optimized(asking(now=MINUTE), healths, DICE))


def test_one_target_needs_no_chance() -> None:
    dice = Random(1)
    state = dice.getstate()
    assert [0] == drawn([1.0], dice)
    assert state == dice.getstate()
