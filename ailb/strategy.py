"""The order in which a model's targets are asked, as a pure function.

    def cheapest(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
        return sorted(((asked.cost(health.target) or 0, health) for health in healths), key=lambda scored: scored[0])

A strategy of one's own is named in the configuration as `package.module:function`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from ailb.dialect import Target
from ailb.exchange import Caller
from ailb.health import Health
from ailb.prompt import Prompt

Ranking = list[tuple[float, Health]]
"""Who is asked first stands in front, each with its score. What a score means is the strategy's own; people are shown it."""


@dataclass(slots=True)
class Asked:
    """What a strategy may know of a request. `number` counts the requests for its model, `now` is the clock's monotonic time.

    `cost(target)` is what it would take there, in nano-dollars: the prompt and its output as they are estimated, with what the provider
    takes for cached input; None where nobody knows the price.
    """

    prompt: Prompt
    caller: Caller
    number: int
    now: float
    cost: Callable[[Target], int | None]


class Strategy(Protocol):
    def __call__(self, asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
        """All of `healths`, which is never empty. `dice` is where chance comes from, so that a test can hold it."""
