"""What all requests share that are routed by one layer."""

from dataclasses import dataclass, field
from random import Random

from ailb.clock import Clock
from ailb.rates import Prices
from ailb.tokens import Counter
from middleware.routing_candidates import Known
from middleware.routing_retries import RetryBudget

MOST_MODELS = 10_000


@dataclass(slots=True)
class Desk:
    known: Known
    prices: Prices
    counter: Counter
    clock: Clock
    most_attempts: int
    most_wait: float
    """Seconds."""
    budget: RetryBudget = field(default_factory=RetryBudget)
    dice: Random = field(default_factory=Random)
    _numbers: dict[str, int] = field(default_factory=dict)

    def turn(self, model: str) -> int:
        """How many requests for this model there were, with this one."""
        if model not in self._numbers and len(self._numbers) >= MOST_MODELS:
            self._numbers.clear()
        number = self._numbers[model] = self._numbers.get(model, 0) + 1
        return number
