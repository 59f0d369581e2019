"""How many tokens the models that may answer have room for, beside what the client sent and the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ailb.dialect import Target
from ailb.errors import ModelNotFound
from ailb.models import Models
from ailb.prompt import Prompt
from ailb.rates import Prices
from ailb.tokens import Counter, bound

ANSWER: Final = 4096
"""Tokens for an answer of which the client did not say how long it may be."""

OTHERS: Final = 1.35
"""How many more tokens a model may see in what is remembered, which is counted once, as OpenAI's models have it."""


@dataclass(frozen=True, slots=True)
class Room:
    models: Models
    prices: Prices
    counter: Counter

    async def beside(self, prompt: Prompt, wanted: int) -> int:
        """At most `wanted`; that where nobody knows how much a model takes. 0 for a model that nobody serves: routing will say so."""
        try:
            targets = self.models.targets(prompt.model or self.models.default)
        except ModelNotFound:
            return 0
        smallest = self._smallest(targets)
        if smallest is None:
            return wanted
        left = smallest - (prompt.output_cap or min(ANSWER, smallest // 4))
        if left - bound(prompt) >= wanted * OTHERS:  # which takes microseconds, and is so for nearly every request
            return wanted
        counted = await self.counter.count_prompt(prompt, targets[0].model)
        return max(0, min(wanted, int((left - counted) / OTHERS)))

    def _smallest(self, targets: Sequence[Target]) -> int | None:
        return min((context for target in targets if (context := target.context or self.prices.context(target))), default=None)
