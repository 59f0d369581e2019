"""Which of a model's targets may be asked for a request, and what it would take there."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ailb.abilities import needed
from ailb.dialect import Target
from ailb.health import Health, Healths
from ailb.models import Models, Route
from ailb.money import number
from ailb.prompt import Prompt
from ailb.rates import Prices
from ailb.strategy import Ranking
from ailb.tokens import FIXED, Counter, bound, media_tokens
from middleware.routing_manners import Manners

MOST_KEPT: Final = 10_000
COUNT_SECONDS: Final = 2.0
TYPICAL_OUTPUT: Final = 500
"""Tokens of an answer whose length nobody has said anything about."""

CHARACTERS_A_TOKEN: Final = 4
"""Roughly, of English; the same for all targets, so that it does not decide which one is the cheapest."""


@dataclass(frozen=True, slots=True)
class Served:
    """Who serves a model, looked up once: as long as the model has these targets."""

    targets: Sequence[Target]
    healths: Sequence[Health]
    contexts: Sequence[int | None]
    route: Route
    manners: Manners
    picky: bool
    """Whether there is anything that one of the targets cannot do."""
    narrow: int | None
    """The smallest context of all."""


class Known:
    """What there is to know about the targets of each model."""

    def __init__(self, models: Models, healths: Healths, prices: Prices, manners: Manners) -> None:
        self.healths = healths
        self._manners = manners
        self._models = models
        self._prices = prices
        self._served: dict[str, Served] = {}

    def served(self, model: str) -> Served:
        """Raises ModelNotFound."""
        targets = self._models.targets(model)
        known = self._served.get(model)
        if known is None or known.targets is not targets:
            if len(self._served) >= MOST_KEPT:
                self._served.clear()
            known = self._served[model] = self._look_up(model, targets)
        return known

    def _look_up(self, model: str, targets: Sequence[Target]) -> Served:
        route = self._models.route(model)
        contexts = [target.context or self._prices.context(target) for target in targets]
        return Served(
            targets,
            [self.healths.of(target) for target in targets],
            contexts,
            route,
            self._manners.of(route),
            any(target.lacks for target in targets),
            min((context for context in contexts if context), default=None),
        )


async def tokens(prompt: Prompt, characters: int, narrow: int, counter: Counter) -> int | None:
    """Of a prompt with so many `characters` that might not fit into `narrow`, counted; None for one that does, and where it cannot be
    counted in time.

    Without images, sound and files, whose size nobody knows before they are read: to hold money for the worst case is one thing, to send
    a request away for it another.
    """
    if 4 * characters + FIXED <= narrow and bound(prompt) <= narrow:
        return None
    try:
        async with asyncio.timeout(COUNT_SECONDS):
            return await counter.count_prompt(prompt) - media_tokens(prompt.body, "")
    except TimeoutError:
        return None


def unable(prompt: Prompt, served: Served, length: int | None) -> Iterator[tuple[Health, str]]:
    """The targets that cannot take the request, with the reason. `length` is its tokens, where that may matter."""
    needs = list(needed(prompt)) if served.picky else []
    for health, context in zip(served.healths, served.contexts, strict=True):
        lacks = [need for need in needs if need in health.target.lacks]
        if lacks:
            yield health, f"cannot do {', '.join(lacks)}"
        elif length is not None and context is not None and length > context:
            yield health, f"takes {context} tokens, and these are {length}"


class Estimate:
    """What a request would take at a target: its text, and as much answer as its cap allows. It keeps nothing of the request itself."""

    __slots__ = ("_healths", "_input", "_known", "_output", "_prices")

    def __init__(self, characters: int, cap: int | None, prices: Prices, healths: Healths) -> None:
        """`characters` of the prompt's text, and the most tokens that the answer may have, if the client says."""
        self._healths = healths
        self._input, self._output = characters // CHARACTERS_A_TOKEN + 1, cap or TYPICAL_OUTPUT
        self._prices = prices
        self._known: dict[tuple[str, str, int], int | None] = {}

    def nanos(self, target: Target) -> int | None:
        """With what the provider lately had of other prompts in its cache. None where nobody knows the price."""
        key = (target.provider, target.model, target.credential)
        if key not in self._known:
            rates = self._prices.rates(target)
            cached = int(self._input * self._healths.of(target).cached)
            self._known[key] = rates.text(self._input, self._output, cached) if rates else None
        return self._known[key]


@dataclass(slots=True)
class Considered:
    """The candidates of one model for one request, as an explanation tells them: made when somebody asks."""

    ranking: Ranking
    dropped: Sequence[tuple[Health, str]]
    estimate: Estimate

    def plain(self, barred: Sequence[tuple[Health, str]]) -> Iterator[dict[str, Any]]:
        """`barred` are those that could not be asked when their turn came."""
        for score, health in self.ranking:
            yield self._told(health.target, score, next((why for other, why in barred if other is health), ""))
        for health, why in self.dropped:
            yield self._told(health.target, None, why)

    def _told(self, target: Target, score: float | None, why: str) -> dict[str, Any]:
        nanos = self.estimate.nanos(target)
        told: dict[str, Any] = {"provider": target.provider, "model": target.model, "score": score}
        told |= {"cost_usd": None if nanos is None else number(nanos), "kept": not why, "reason": why}
        return {**told, "credential": target.credential} if target.credential else told
