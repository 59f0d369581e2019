"""Strategies under simulated traffic: what becomes of weights, and of a target that slows down and recovers."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ailb.dialect import Target
from ailb.health import Health
from ailb.strategy import Asked, Ranking
from benchmarks.routing_traffic import Arrival, Rank, Served, Server, Spell, poisson, run
from middleware.strategies import STRATEGIES
from middleware.strategies_stuck import stuck

REQUESTS = 8000
SLOW, WELL, SETTLED, END = 60.0, 120.0, 180.0, 300.0
SEEDS = st.integers(0, 10**6)


def servers(weights: Sequence[float], seconds: float = 0.5, jitter: float = 0.3) -> list[Server]:
    return [Server(Target(f"p{place}", "m", weight), seconds, jitter=jitter) for place, weight in enumerate(weights)]


def sticking(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """Every request is a session of its own."""
    return stuck([(0.0, health) for health in healths], b"session-%d-%d" % (asked.number, len(healths)))


WEIGHTED: dict[str, Rank] = {"stuck": sticking, **{name: STRATEGIES[name] for name in ("load_balanced", "random", "round_robin")}}


@pytest.mark.parametrize("name", WEIGHTED)
@settings(max_examples=12, deadline=None)
@given(weights=st.lists(st.integers(1, 20).map(float), min_size=2, max_size=6), rate=st.sampled_from([2.0, 10.0, 60.0]), seed=SEEDS)
def test_weights_are_shares_of_the_traffic(name: str, weights: list[float], rate: float, seed: int) -> None:
    """Within 3 %: with one request in flight now and then, and with thirty."""
    served = run(servers(weights), WEIGHTED[name], poisson(rate, REQUESTS / rate, Random(seed)), Random(seed))
    found = Counter(one.server.target.provider for one in served)
    shares = [found[f"p{place}"] / found.total() for place in range(len(weights))]
    assert [weight / sum(weights) for weight in weights] == pytest.approx(shares, abs=0.03)


def between(served: Sequence[Served], start: float, end: float) -> list[Served]:
    return [one for one in served if start <= one.arrival.at < end]


def share(served: Sequence[Served], server: Server) -> float:
    """How much it got of what would be fair, as all weigh the same."""
    return sum(one.server is server for one in served) / len(served)


@settings(max_examples=15, deadline=None)
@given(count=st.integers(2, 6), rate=st.sampled_from([5.0, 20.0, 40.0]), seed=SEEDS)
def test_a_target_that_slows_down_loses_its_traffic_and_gets_it_back(count: int, rate: float, seed: int) -> None:
    """Ten times as slow, it has lost nine tenths of its share after twenty requests; a minute after it is well it has its share again."""
    sick, *others = servers([1.0] * count, jitter=0.2)
    sick.spells = [Spell(SLOW, WELL, 10.0)]
    served = list(run([sick, *others], STRATEGIES["latency_optimized"], poisson(rate, END, Random(seed)), Random(seed)))
    slow = between(served, SLOW, WELL)[20:]
    after = between(served, SETTLED, END)
    # A tenth of a share is four requests where few come and many targets share them: one more is let pass.
    assert sum(one.server is sick for one in slow) <= 0.1 * len(slow) / count + 1
    assert share(after, sick) >= 0.7 / count


def tried(served: Sequence[Served], server: Server) -> float:
    """How much it was asked, of all requests, in vain or not."""
    return sum(one.server is server or server in one.failed for one in served) / len(served)


def flaky(count: int, rate: float, seed: int, name: str, failure_seconds: float | None = None) -> tuple[Server, list[Served]]:
    """The first of some equals fails three of ten for two minutes."""
    sick, *others = servers([1.0] * count, jitter=0.2)
    sick.spells, sick.failure_seconds = [Spell(SLOW, SETTLED, fails=0.3)], failure_seconds
    return sick, list(run([sick, *others], STRATEGIES[name], poisson(rate, END, Random(seed)), Random(seed)))


@settings(max_examples=8, deadline=None)
@given(count=st.integers(3, 6), rate=st.sampled_from([20.0, 40.0]), seed=SEEDS)
def test_a_target_that_fails_is_hardly_asked_and_gets_its_traffic_back(count: int, rate: float, seed: int) -> None:
    """Three of a hundred requests find out how it is; a minute after it is well it has its share again."""
    sick, served = flaky(count, rate, seed, "latency_optimized")
    assert tried(between(served, SLOW + 10, SETTLED), sick) < 0.03
    assert share(between(served, SETTLED + 60, END), sick) >= 0.7 / count


@settings(max_examples=8, deadline=None)
@given(count=st.integers(2, 6), rate=st.sampled_from([5.0, 20.0, 40.0]), seed=SEEDS)
def test_quick_failures_draw_no_traffic(count: int, rate: float, seed: int) -> None:
    """Who fails at once always has little in flight."""
    sick, served = flaky(count, rate, seed, "load_balanced", 0.01)
    assert tried(between(served, SLOW + 10, SETTLED), sick) < 0.5 / count
    assert share(between(served, SETTLED + 60, END), sick) >= 0.7 / count


@pytest.mark.parametrize("jitter", [0.1, 0.3, 0.5])
def test_a_slow_and_a_flaky_target_are_hardly_felt_beside_a_good_one(jitter: float) -> None:
    """200 requests a second, of which nine are in flight at a good one that takes 20 ms. The slow one takes twenty times as long."""

    def p99(*names: str) -> float:
        known = {
            "good": Server(Target("good", "m"), 0.02, jitter=jitter),
            "slow": Server(Target("slow", "m"), 0.4, jitter=0.1),
            "flaky": Server(Target("flaky", "m"), 0.02, jitter=jitter, spells=[Spell(0.0, END, fails=0.3)]),
        }
        arrivals = [Arrival(arrival.at, output=30) for arrival in poisson(200.0, 60.0, Random(1))]
        served = run([known[name] for name in names], STRATEGIES["latency_optimized"], arrivals, Random(2))
        return sorted(one.seconds for one in served)[len(arrivals) * 99 // 100]

    assert p99("slow", "flaky", "good") < 1.3 * p99("good")


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_the_faster_get_the_more(seed: int) -> None:
    quick, slow = servers([1.0], 0.2)[0], Server(Target("slow", "m"), 0.6)
    served = list(run([slow, quick], STRATEGIES["latency_optimized"], poisson(20.0, 120.0, Random(seed)), Random(seed)))
    assert share(served, quick) > 2 * share(served, slow)


@pytest.mark.parametrize("rate", [5.0, 50.0])
def test_less_busy_ones_help_out_where_one_is_slow(rate: float) -> None:
    """Load is all that `load_balanced` sees of it, and all that it needs."""
    sick, *others = servers([1.0] * 4, jitter=0.0)
    sick.spells = [Spell(0.0, END, 10.0)]
    served = list(run([sick, *others], STRATEGIES["load_balanced"], poisson(rate, END, Random(5)), Random(5)))
    assert share(served, sick) < 0.6 / 4


def test_a_dear_target_is_asked_only_when_the_cheap_one_is_full() -> None:
    cheap = Server(Target("cheap", "m", max_parallel=3), 1.0, price=(1, 1))
    dear = Server(Target("dear", "m"), 1.0, price=(9, 9))
    served = run([dear, cheap], STRATEGIES["cost_optimized"], poisson(10.0, 60.0, Random(1)), Random(1))
    seen = Counter((one.server is dear, busy) for one, busy in ((one, min(cheap.health.in_flight, 3)) for one in served))
    assert {(False, 1), (False, 2), (False, 3), (True, 3)} == set(seen)


def test_a_crowd_with_one_key_stays_together_until_it_is_too_many() -> None:
    """A hundred requests at a time of one session: its target has a quarter more than its share of them, the others the rest."""
    rank = partial(_one_key, b"the same")
    fleet = servers([1.0] * 4, 1.0, jitter=0.0)
    served = between(list(run(fleet, rank, poisson(100.0, 60.0, Random(1)), Random(1))), 10.0, 60.0)
    assert max(share(served, server) for server in fleet) == pytest.approx(1.25 / 4, abs=0.03)


def _one_key(key: bytes, asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    return stuck([(0.0, health) for health in healths], key)
