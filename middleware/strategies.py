"""In which order the targets of a model are tried: pure functions of the targets and their state.

`order(targets, load, dice)` returns all of them, the one to ask first in front. `load(target)` is its number of requests in flight;
`dice` is where chance comes from, so that a test can hold it.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Protocol

from ailb.dialect import Target

Load = Callable[[Target], int]


class Strategy(Protocol):
    def __call__(self, targets: Sequence[Target], load: Load, dice: Random) -> list[Target]: ...


def failover(targets: Sequence[Target], load: Load, dice: Random) -> list[Target]:
    """By priority, the lowest number first; equals in the order of the config."""
    return sorted(targets, key=lambda target: target.priority)


def load_balanced(targets: Sequence[Target], load: Load, dice: Random) -> list[Target]:
    """The less busy of two that chance picks by weight; busy is relative to weight.

    Two choices are exponentially better than one: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001.
    """
    rest = drawn(targets, dice)
    if len(rest) > 1 and _busy(rest[1], load) < _busy(rest[0], load):
        rest[0], rest[1] = rest[1], rest[0]
    return rest


def random(targets: Sequence[Target], load: Load, dice: Random) -> list[Target]:
    """By weight, whatever is going on."""
    return drawn(targets, dice)


def drawn(targets: Sequence[Target], dice: Random) -> list[Target]:
    """A weighted shuffle: each place goes to a target by its share of the weight that is left.

    Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006: sort by u^(1/w).
    """
    if len(targets) == 1:
        return list(targets)
    return sorted(targets, key=lambda target: dice.random() ** (1 / max(target.weight, 1e-9)), reverse=True)


def _busy(target: Target, load: Load) -> float:
    return load(target) / max(target.weight, 1e-9)


STRATEGIES: Mapping[str, Strategy] = MappingProxyType({"failover": failover, "load_balanced": load_balanced, "random": random})
