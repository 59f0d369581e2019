from collections import Counter
from collections.abc import Sequence
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Target
from ailb.health import Health
from ailb.strategy import Ranking
from middleware.strategies_stuck import BOUND, drawn, stuck

KEYS = 20_000


def ranking(weights: Sequence[float], in_flight: Sequence[int] = ()) -> Ranking:
    loads = [*in_flight, *([0] * (len(weights) - len(in_flight)))]
    return [
        (float(place), Health(Target(f"p{place}", "m", weight), in_flight=load))
        for place, (weight, load) in enumerate(zip(weights, loads, strict=True))
    ]


def first(ranked: Ranking) -> str:
    return ranked[0][1].target.provider


RANKINGS = st.lists(st.tuples(st.floats(1e-6, 1e6), st.integers(0, 50)), min_size=1, max_size=8).map(
    lambda pairs: ranking([weight for weight, _ in pairs], [load for _, load in pairs])
)


@given(RANKINGS, st.binary())
def test_the_chosen_one_comes_first_and_the_others_keep_their_order(ranked: Ranking, key: bytes) -> None:
    before = list(ranked)
    found = stuck(ranked, key)
    assert before == ranked
    assert [scored for scored in ranked if scored is not found[0]] == found[1:]
    assert found[0] in ranked


@given(RANKINGS, st.binary(), st.randoms())
def test_the_choice_is_the_same_whatever_the_strategy_said(ranked: Ranking, key: bytes, dice: object) -> None:
    other = list(reversed(ranked))
    assert first(stuck(ranked, key)) == first(stuck(other, key))


@pytest.mark.parametrize("weights", [(1.0, 1.0), (95.0, 5.0), (4.0, 2.0, 1.0, 1.0), (1e-3, 3e-3), (1.0,) * 10])
def test_keys_are_spread_by_weight(weights: tuple[float, ...]) -> None:
    ranked = ranking(weights)
    found = Counter(first(stuck(ranked, b"session-%d" % number)) for number in range(KEYS))
    for place, weight in enumerate(weights):
        assert weight / sum(weights) == pytest.approx(found[f"p{place}"] / KEYS, abs=0.012)


def test_only_the_keys_of_the_one_that_left_move() -> None:
    ranked = ranking((3.0, 1.0, 2.0, 1.0))
    for number in range(2000):
        key = b"%d" % number
        before, after = first(stuck(ranked, key)), first(stuck([ranked[0], *ranked[2:]], key))
        assert before in ("p1", after)


def test_all_processes_agree() -> None:
    """The numbers were worked out once; another hash would move every session."""
    targets = (Target("openai", "gpt-4o"), Target("openai", "gpt-4o", credential=1), Target("azure", "gpt-4o"))
    assert ["0.342726", "0.409637", "0.297990"] == [f"{drawn(12345, target):.6f}" for target in targets]


def test_keys_of_one_provider_differ() -> None:
    ranked: Ranking = [(0.0, Health(Target("p", "m", credential=place))) for place in range(2)]
    found = Counter(stuck(ranked, b"%d" % number)[0][1].target.credential for number in range(KEYS))
    assert found[0] / KEYS == pytest.approx(0.5, abs=0.012)


@pytest.mark.parametrize(
    ("in_flight", "stays"), [((0, 0), True), ((1, 0), True), ((2, 0), True), ((6, 0), False), ((40, 30), True), ((60, 30), False)]
)
def test_one_that_has_too_much_gives_to_the_next(in_flight: tuple[int, int], stays: bool) -> None:
    key = next(key for key in (b"%d" % number for number in range(100)) if first(stuck(ranking((1.0, 1.0)), key)) == "p0")
    assert stays is (first(stuck(ranking((1.0, 1.0), in_flight), key)) == "p0")
    assert first(stuck(ranking((1.0, 1.0), in_flight), key, bound=inf)) == "p0"


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=8), st.binary())
def test_one_busy_key_never_fills_one_target(weights: list[float], key: bytes) -> None:
    """However many requests with the same key are under way, nobody has much more than its share of them."""
    ranked = ranking(weights)
    for _ in range(100):
        stuck(ranked, key)[0][1].in_flight += 1
    for _, health in ranked:
        assert health.in_flight <= BOUND * 100 * health.target.weight / sum(weights) + 2
