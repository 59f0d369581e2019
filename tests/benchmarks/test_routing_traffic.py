from collections.abc import Sequence
from random import Random

import pytest

from ailb.dialect import Target
from ailb.health import Health
from ailb.strategy import Asked, Ranking
from benchmarks.routing_traffic import Arrival, Server, Spell, poisson, run

DICE = Random(1)


def in_order(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    return [(float(place), health) for place, health in enumerate(healths)]


def seconds(server: Server, times: Sequence[float], output: int = 0) -> list[float]:
    return [served.seconds for served in run([server], in_order, [Arrival(at, output=output) for at in times], DICE)]


def test_a_server_is_slow_in_its_spells_only() -> None:
    server = Server(Target("p", "m"), 2.0, spells=[Spell(10, 20, 3.0), Spell(15, 20, 4.0)])
    assert [2.0, 6.0, 8.0, 2.0] == seconds(server, [9, 10, 15, 20])


def test_who_fails_hands_its_request_on_and_the_last_one_answers() -> None:
    """The first takes 2 s to fail, the second one is quicker to; each has its end counted as what it was."""
    servers = [Server(Target(name, "m"), 2.0, spells=[Spell(0, 10, fails=1.0)]) for name in "pqr"]
    servers[1].failure_seconds = 0.5
    first, later = run(servers, in_order, [Arrival(0.0), Arrival(20.0)], DICE)
    assert (4.5, servers[2], servers[:2]) == (first.seconds, first.server, first.failed)
    assert (2.0, servers[0], []) == (later.seconds, later.server, later.failed)
    assert [True, True, False] == [server.health.failing.share(20.0) > 0 for server in servers]
    assert [1, 0, 0] == [server.health.in_flight for server in servers]


def test_a_crowd_makes_all_slower() -> None:
    assert [2.0, 2.0, 3.0, 4.0] == seconds(Server(Target("p", "m"), 2.0, slots=2), [0, 0, 0, 0])


def test_it_is_in_flight_until_the_end_and_heard_of_at_the_first_token() -> None:
    """50 tokens a second by a server that begins in half a second; this one is twice as slow, so its 100 tokens take 4 s more."""
    server = Server(Target("p", "m"), 1.0, slots=1)
    traffic = run([server], in_order, [Arrival(0.0, output=100), Arrival(0.9), Arrival(1.1), Arrival(9.9)], DICE)
    next(traffic)
    assert (1, None) == (server.health.in_flight, server.health.latency.expected())
    next(traffic)
    assert (2, None) == (server.health.in_flight, server.health.latency.expected())
    next(traffic)
    assert (3, 1.0) == (server.health.in_flight, server.health.latency.expected())
    next(traffic)
    assert (1, 3.0) == (server.health.in_flight, server.health.latency.expected())


def test_who_is_full_is_passed_over_until_all_are() -> None:
    servers = [Server(Target("p", "m", max_parallel=2), 1.0), Server(Target("q", "m", max_parallel=1), 1.0)]
    served = run(servers, in_order, [Arrival(0.0)] * 4, DICE)
    assert ["p", "p", "q", "p"] == [one.server.target.provider for one in served]


def test_a_strategy_is_told_the_price_that_is_charged() -> None:
    told: list[int | None] = []

    def rank(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
        told.append(asked.cost(healths[0].target))
        return in_order(asked, healths, dice)

    server = Server(Target("p", "m"), 1.0, price=(3, 7))
    (served,) = run([server], rank, [Arrival(0.0, input=10, output=2)], DICE)
    assert [44] == told == [served.cost]


def test_jitter_is_around_the_expected() -> None:
    server = Server(Target("p", "m"), 1.0, jitter=0.3)
    found = sorted(seconds(server, range(0, 20_000, 10)))
    assert found[len(found) // 2] == pytest.approx(1.0, abs=0.05)
    assert found[0] < 0.6
    assert found[-1] > 1.6


def test_requests_come_as_often_as_told() -> None:
    found = list(poisson(10.0, 500.0, Random(1)))
    assert len(found) == pytest.approx(5000, rel=0.05)
    assert all(0 < one.at < 500 for one in found)
