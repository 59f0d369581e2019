"""In which order the targets of a model are asked. What a strategy is: see ailb.strategy; which one is for what: docs/routing.md.

Weights are shares of the traffic. Where targets are asked by weight, they get their shares while none of them is overloaded. Who looks at
load gives less weight to one that fails, or it would draw the traffic that its failures leave room for: see Health.weight.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import inf, log, sqrt
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

FAILS = 0.01
"""Of one that failed for more than this share it is known that it does; that fades by itself."""


def load_balanced(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """The less busy of two that chance picks. The score is the requests in flight by weight.

    Two choices are exponentially better than one: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001. Among equal
    weights it is that. Else, with few requests in flight, "less busy by weight" would hand a light target that is idle far more than its
    share. So the first is drawn by weight, the other one evenly, and they change places with a chance that is proportional to how much
    the first has too much of what both have in flight: then nobody gains while all have what is theirs.
    """
    weights = _weights(healths, asked.now)
    order = drawn(weights, dice)
    if len(order) > 1:
        other = dice.randrange(1, len(order)) if len(order) > 2 else 1
        order[1], order[other] = order[other], order[1]
        first, second = order[0], order[1]
        if _too_much(healths[first].in_flight, weights[first], healths[second].in_flight, weights[second]) > dice.random():
            order[0], order[1] = second, first
    return [(healths[place].in_flight / weights[place], healths[place]) for place in order]


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
    weights = [health.target.weight for health in healths]
    total = sum(weights)
    return [(weights[place] / total, healths[place]) for place in drawn(weights, dice)]


def failover(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """By priority, the lowest number first; equals in the order of the configuration. The score is the priority."""
    return sorted(((float(health.target.priority), health) for health in healths), key=_score)


def cost_optimized(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """The cheapest for this very prompt. The score is what it would cost there, in nano-dollars.

    Where nobody knows the price it is infinite. Among equally dear ones the less busy by weight comes first, then chance decides by weight.
    """
    costs = [asked.cost(health.target) for health in healths]
    return _least_first([inf if cost is None else float(cost) for cost in costs], healths, _weights(healths, asked.now), dice)


def latency_optimized(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """The fastest. The score is the seconds to expect, times the square root of the requests in flight and this one, by weight.

    The seconds are those of ailb.latency: to a stream's first token, or to the end of a whole answer. One that was never seen counts as
    the fastest that was, 0.0 where there is none. Peak-EWMA times load: Finagle's load balancers, 2015. They take the load in full; but
    some of it is in the seconds already, and a good target with nine requests in flight would seem as bad as one that is ten times as
    slow. A slow target is not asked, so nobody would see that it has recovered: a few requests go to whoever was not heard of for longest,
    and has nothing in flight.
    """
    streamed = asked.prompt.stream
    weights = _weights(healths, asked.now)
    seen = [health.latency.expected(streamed) for health in healths]
    fastest = min((seconds for seconds in seen if seconds is not None), default=0.0)
    scores = [
        (fastest if seconds is None else seconds) * sqrt((health.in_flight + 1) / weight)
        for seconds, health, weight in zip(seen, healths, weights, strict=True)
    ]
    ranking = _least_first(scores, healths, weights, dice)
    if dice.random() < EXPLORED:
        _explore(ranking, streamed, asked.now)
    return ranking


def drawn(weights: Sequence[float], dice: Random) -> list[int]:
    """A weighted shuffle of their places: each goes to one by its share of the weight that is left.

    Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006: sort by exponential times, each at its weight's rate.
    """
    if len(weights) == 1:
        return [0]
    times = [-log(1.0 - dice.random()) / weight for weight in weights]
    return sorted(range(len(times)), key=times.__getitem__)


def _weights(healths: Sequence[Health], now: float) -> list[float]:
    return [health.weight(now) for health in healths]


def _too_much(in_flight: int, weight: float, others: int, others_weight: float) -> float:
    """The chance that the other goes before the first; above 1 it is certain.

    By it as many requests go over in one direction as in the other while their means in flight are in the ratio of their weights.
    """
    excess = in_flight * others_weight / weight - others
    return excess * min(weight, others_weight) / max(weight, others_weight)


def _least_first(scores: Sequence[float], healths: Sequence[Health], weights: Sequence[float], dice: Random) -> Ranking:
    """Among equal scores the less busy by weight comes first, then chance decides by weight."""
    chosen = drawn(weights, dice) if len(set(scores)) < len(scores) else range(len(scores))
    order = sorted(chosen, key=lambda place: (scores[place], healths[place].in_flight / weights[place]))
    return [(scores[place], healths[place]) for place in order]


def _score(scored: tuple[float, Health]) -> float:
    return scored[0]


def _explore(ranking: Ranking, streamed: bool, now: float) -> None:
    """Puts in front who was not heard of for longest, if that is long."""
    idle = [
        (health.latency.heard(streamed), place)
        for place, (_, health) in enumerate(ranking)
        if not health.in_flight and health.failing.share(now) < FAILS
    ]
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
