"""The innermost layer: picks a target for the model, and another one as long as nothing of an answer was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Any

from ailb.breaker import Breaker
from ailb.clock import Clock
from ailb.dialect import Target
from ailb.errors import (
    AllProvidersUnavailable,
    BadRequest,
    BudgetExceeded,
    ConfigError,
    Refusal,
    Unpriced,
    UpstreamBroken,
    UpstreamFailure,
    UpstreamRefusal,
)
from ailb.exchange import Exchange, Outcome, Reply
from ailb.models import Models, nearest
from ailb.stack import Next
from middleware.strategies import STRATEGIES

UNFIT = (BadRequest, BudgetExceeded, Unpriced)
"""What one target cannot take and another one might: its dialect has no word for it, or it is too dear."""


class Routing:
    """`strategy` names the order in which a model's targets are tried. `open_after` failures in a row take a target out of it for
    `open_seconds`.
    """

    def __init__(
        self,
        models: Models,
        clock: Clock,
        *,
        strategy: str = "load_balanced",
        open_after: int = 5,
        open_seconds: float = 30.0,
    ) -> None:
        if strategy not in STRATEGIES:
            like = nearest(strategy, STRATEGIES) or STRATEGIES
            raise ConfigError('[[layer]] "routing".strategy', f"no strategy {strategy!r}; did you mean {', '.join(like)}?")
        self._models = models
        self._clock = clock
        self._strategy = STRATEGIES[strategy]
        self._dice = Random()  # noqa: S311 - chance, not secrecy
        self._open_after = open_after
        self._open_seconds = open_seconds
        self._healths: dict[Target, _Health] = {}

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        wanted = exchange.prompt.model or self._models.default
        if not wanted:
            raise BadRequest("model is missing, and no default_model is configured", param="model")
        order = self._strategy(self._models.targets(wanted), self._load, self._dice)
        failures: list[UpstreamFailure] = []
        unfit: Refusal | None = None
        passed_over: list[Target] = []
        for target in order:
            health = self._health(target)
            if not health.breaker.admits(self._clock.monotonic()):
                passed_over.append(target)
                continue
            try:
                return await self._ask(exchange, call_next, target, health)
            except UpstreamFailure as failure:
                failures.append(failure)
                if not failure.retry_elsewhere:
                    break
            except UNFIT as refusal:
                unfit = refusal
        raise unfit if unfit is not None and not failures else self._verdict(exchange, failures, passed_over)

    async def _ask(self, exchange: Exchange, call_next: Next, target: Target, health: "_Health") -> Reply:
        exchange.target = target
        visit = _Visit(health, self._clock)
        exchange.on_settle(visit.settle)
        try:
            return await call_next(exchange)
        except UpstreamFailure as failure:
            visit.leave(_is_ill(failure))
            raise
        except UNFIT:
            visit.leave(None)
            raise

    def _health(self, target: Target) -> "_Health":
        """The oldest are forgotten past ten thousand: a wildcard lets clients make up as many models as they like."""
        health = self._healths.get(target)
        if health is None:
            if len(self._healths) >= 10_000:
                self._healths.pop(next(iter(self._healths)))
            health = self._healths[target] = _Health(Breaker(self._open_after, self._open_seconds))
        return health

    def _load(self, target: Target) -> int:
        health = self._healths.get(target)
        return health.in_flight if health else 0

    def _verdict(self, exchange: Exchange, failures: Sequence[UpstreamFailure], passed_over: Sequence[Target]) -> Refusal:
        """An upstream's own error if there was one, then an answer that was none; 503 only when nobody answered."""
        for kind in (UpstreamRefusal, UpstreamBroken):
            for failure in reversed(failures):
                if isinstance(failure, kind):
                    return failure
        attempts: list[dict[str, Any]] = [attempt.summary() for attempt in exchange.attempts]
        attempts += [{"provider": t.provider, "model": t.model, "error": "circuit open"} for t in passed_over]
        now = self._clock.monotonic()
        wait = min((self._healths[target].breaker.retry_after(now) for target in passed_over), default=1.0)
        return AllProvidersUnavailable(attempts, headers={"retry-after": str(max(1, ceil(wait)))})


@dataclass(slots=True)
class _Health:
    breaker: Breaker
    in_flight: int = 0


class _Visit:
    """One attempt's stay at a target: counted in at once, counted out once.

    The one that was let in to see whether the target is well again is the only one that may end that probe without a result.
    """

    __slots__ = ("_clock", "_health", "_here", "_probe")

    def __init__(self, health: _Health, clock: Clock) -> None:
        self._health = health
        self._clock = clock
        self._here = True
        self._probe = health.breaker.probing
        health.in_flight += 1

    def settle(self, outcome: Outcome) -> None:
        if outcome.status == "complete":
            self.leave(False)
        else:
            refusal = outcome.refusal
            self.leave(_is_ill(refusal) if isinstance(refusal, UpstreamFailure) else None)

    def leave(self, ill: bool | None) -> None:
        """`ill`: whether the target failed; None where nobody can tell."""
        if not self._here:
            return
        self._here = False
        self._health.in_flight -= 1
        if ill is None:
            if self._probe:
                self._health.breaker.abandoned()
        elif ill:
            self._health.breaker.failed(self._clock.monotonic())
        else:
            self._health.breaker.succeeded()


def _is_ill(failure: UpstreamFailure) -> bool:
    """A refusal of the request, or of too many requests, is an answer of a healthy target."""
    return not isinstance(failure, UpstreamRefusal) or failure.status >= 500
