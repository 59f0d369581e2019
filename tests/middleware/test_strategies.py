from collections import Counter
from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Target
from middleware.strategies import STRATEGIES, drawn, failover, load_balanced, random

A, B, C = Target("a", "m"), Target("b", "m"), Target("c", "m")
ROUNDS = 4000

TARGETS = st.lists(
    st.builds(Target, st.text("abc", min_size=1, max_size=2), st.just("m"), weight=st.floats(1e-6, 1e6), priority=st.integers(0, 3)),
    min_size=1,
    max_size=6,
)


def idle(target: Target) -> int:
    return 0


def busy(load: Mapping[str, int]) -> object:
    return lambda target: load.get(target.provider, 0)


@given(TARGETS, st.sampled_from(sorted(STRATEGIES)), st.integers(), st.integers(0, 100))
def test_every_strategy_tries_every_target_once(targets: list[Target], name: str, seed: int, load: int) -> None:
    order = STRATEGIES[name](tuple(targets), lambda target: load * len(target.provider), Random(seed))
    assert Counter(targets) == Counter(order)


@pytest.mark.parametrize(("priorities", "expected"), [((0, 0, 0), "abc"), ((2, 1, 0), "cba"), ((1, 0, 1), "bac"), ((5, 5, 0), "cab")])
def test_failover_is_by_priority_then_by_place(priorities: tuple[int, int, int], expected: str) -> None:
    targets = [Target(name, "m", priority=priority) for name, priority in zip("abc", priorities, strict=True)]
    assert expected == "".join(target.provider for target in failover(targets, idle, Random(0)))


def share(order: object, weights: tuple[float, ...], load: Mapping[str, int] | None = None) -> dict[str, float]:
    """How often each target came first."""
    dice = Random(7)
    targets = [Target(name, "m", weight) for name, weight in zip("abc", weights, strict=False)]
    firsts = Counter(order(targets, busy(load or {}), dice)[0].provider for _ in range(ROUNDS))  # type: ignore[operator]
    return {name: count / ROUNDS for name, count in firsts.items()}


@pytest.mark.parametrize("weights", [(1.0, 1.0), (4.0, 1.0), (8.0, 1.0, 1.0), (0.5, 0.25, 0.25)])
def test_chance_goes_by_weight(weights: tuple[float, ...]) -> None:
    for order in (random, load_balanced):
        found = share(order, weights)
        assert [round(weight / sum(weights), 1) for weight in weights] == pytest.approx(
            [found[name] for name in "abc"[: len(weights)]], abs=0.06
        )


def test_the_less_busy_of_two_comes_first() -> None:
    assert {"b": 1.0} == share(load_balanced, (1.0, 1.0), {"a": 3, "b": 2})


def test_busy_is_relative_to_weight() -> None:
    assert {"a": 1.0} == share(load_balanced, (4.0, 1.0), {"a": 7, "b": 2})


def test_plain_chance_does_not_look_at_the_load() -> None:
    assert share(random, (1.0, 1.0), {"a": 1000})["a"] == pytest.approx(0.5, abs=0.05)


def test_the_busiest_of_three_never_comes_first() -> None:
    assert "a" not in share(load_balanced, (1.0, 1.0, 1.0), {"a": 9})


def test_one_target_needs_no_chance() -> None:
    dice = Random(1)
    state = dice.getstate()
    assert [A] == drawn([A], dice)
    assert state == dice.getstate()


def test_the_targets_given_stay_as_they_are() -> None:
    targets = [C, B, A]
    for name in STRATEGIES:
        STRATEGIES[name](targets, idle, Random(0))
    assert targets == [C, B, A]
