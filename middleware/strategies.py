"""In which order the targets of a model are asked. What a strategy is: see ailb.strategy; which one is for what: docs/routing.md.

Weights are shares of the traffic. Where targets are asked by weight, they get their shares while none of them is overloaded.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import inf, log
from random import Random
from types import MappingProxyType

from ailb.health import Health
from ailb.strategy import Asked, Ranking, Strategy

GOLDEN = 0.6180339887498949
"""The golden ratio's fraction: steps of this size, modulo 1, fill the circle more evenly than any other's."""

EXPLORED = 0.05
"""The most that `latency_optimized` spends on looking how fast the others are now, as a share of its requests."""

STALE_SECONDS = 10.0
"""What was seen of a target is news for so long."""


def load_balanced(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """The less busy of two that chance picks. The score is the requests in flight by weight.

    Two choices are exponentially better than one: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001. Among equal
    weights it is that. Else, with few requests in flight, "less busy by weight" would hand a light target that is idle far more than its
    share. So the first is drawn by weight, the other one evenly, and they change places with a chance that is proportional to how much
    the first has too much of what both have in flight: then nobody gains while all have what is theirs.
    """
    rest = drawn(healths, dice)
    if len(rest) > 1:
        other = dice.randrange(1, len(rest)) if len(rest) > 2 else 1
        rest[1], rest[other] = rest[other], rest[1]
        if _too_much(rest[0], rest[1]) > dice.random():
            rest[0], rest[1] = rest[1], rest[0]
    return [(_busy(health), health) for health in rest]


def round_robin(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """In turns. The score is a target's place in this turn, from 0.

    Equal weights take strict turns. Unequal ones share out the circle, and the requests step around it by the golden ratio: after any
    number of requests each has had its share, to within a few requests. Source: the additive recurrence, Weyl 1916; Roberts 2018.
    """
    weights = [health.target.weight for health in healths]
    if min(weights) == max(weights):
        first = asked.number % len(healths)
    else:
        point = asked.number * GOLDEN % 1.0 * sum(weights)
        first = next((place for place, end in enumerate(accumulate(weights)) if point < end), len(weights) - 1)
    return [(float(turn), health) for turn, health in enumerate([*healths[first:], *healths[:first]])]


def random(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """By weight, whatever is going on. The score is a target's share of the weight."""
    total = sum(health.target.weight for health in healths)
    return [(health.target.weight / total, health) for health in drawn(healths, dice)]


def failover(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """By priority, the lowest number first; equals in the order of the configuration. The score is the priority."""
    return _in_order([(float(health.target.priority), health) for health in healths])


def cost_optimized(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """The cheapest for this very prompt. The score is what it would cost there, in nano-dollars.

    Where nobody knows the price it is infinite. Among equally dear ones the less busy by weight comes first, then chance decides by weight.
    """
    costs = [(asked.cost(health.target), health) for health in _idle_first(healths, dice)]
    return _in_order([(inf if cost is None else float(cost), health) for cost, health in costs])


def latency_optimized(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """The fastest. The score is the seconds to expect, times the requests in flight and this one, by weight.

    The seconds are those of ailb.latency: to a stream's first token, or to the end of a whole answer. One that was never seen counts as
    the fastest that was, 0.0 where there is none. Peak-EWMA times load: Finagle's load balancers, 2015. A slow target is not asked, so
    nobody would see that it has recovered: a few requests go to whoever was not heard of for longest, and has nothing in flight.
    """
    streamed = asked.prompt.stream
    seen = [(health.latency.expected(streamed), health) for health in _idle_first(healths, dice)]
    fastest = min((seconds for seconds, _ in seen if seconds is not None), default=0.0)
    ranking = _in_order(
        [((fastest if seconds is None else seconds) * (health.in_flight + 1) / health.target.weight, health) for seconds, health in seen]
    )
    if dice.random() < EXPLORED:
        _explore(ranking, streamed, asked.now)
    return ranking


def drawn(healths: Sequence[Health], dice: Random) -> list[Health]:
    """A weighted shuffle: each place goes to a target by its share of the weight that is left.

    Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006: sort by exponential times, each at its weight's rate.
    """
    if len(healths) == 1:
        return list(healths)
    # Their places keep two healths from being compared where the times are equal.
    times = sorted((-log(1.0 - dice.random()) / health.target.weight, place) for place, health in enumerate(healths))
    return [healths[place] for _, place in times]


def _busy(health: Health) -> float:
    return health.in_flight / health.target.weight


def _too_much(first: Health, other: Health) -> float:
    """The chance that `other` goes before `first`; above 1 it is certain.

    By it as many requests go over in one direction as in the other while their means in flight are in the ratio of their weights.
    """
    weight, others = first.target.weight, other.target.weight
    return (first.in_flight * others / weight - other.in_flight) * min(weight, others) / max(weight, others)


def _idle_first(healths: Sequence[Health], dice: Random) -> list[Health]:
    return sorted(drawn(healths, dice), key=_busy)


def _in_order(ranking: Ranking) -> Ranking:
    return sorted(ranking, key=_score)


def _score(scored: tuple[float, Health]) -> float:
    return scored[0]


def _explore(ranking: Ranking, streamed: bool, now: float) -> None:
    """Puts in front who was not heard of for longest, if that is long."""
    idle = [(scored[1].latency.heard(streamed), place) for place, scored in enumerate(ranking) if not scored[1].in_flight]
    heard, place = min(idle, default=(now, 0))
    if now - heard > STALE_SECONDS:
        ranking.insert(0, ranking.pop(place))


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "load_balanced": load_balanced,
        "round_robin": round_robin,
        "random": random,
        "failover": failover,
        "cost_optimized": cost_optimized,
        "latency_optimized": latency_optimized,
    }
)
