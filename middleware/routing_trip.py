"""One request's way from target to target, until one answers or nobody is left."""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from math import ceil
from typing import Any, Final

from ailb.errors import (
    AllProvidersUnavailable,
    BadRequest,
    BudgetExceeded,
    ModelNotFound,
    Refusal,
    Unpriced,
    UpstreamBroken,
    UpstreamFailure,
    UpstreamRefusal,
)
from ailb.exchange import Exchange, Reply
from ailb.health import Health
from ailb.models import Route
from ailb.stack import Next
from ailb.strategy import Asked, Ranking
from middleware.routing_candidates import Considered, Estimate, Served, tokens, unable
from middleware.routing_desk import Desk
from middleware.routing_failures import Kind, kind, passes
from middleware.routing_hedge import first_of
from middleware.routing_manners import Manners
from middleware.routing_rest import retry_after
from middleware.routing_retries import backoff
from middleware.routing_sticky import key
from middleware.routing_visit import Visit
from middleware.strategies_stuck import stuck

UNFIT: Final = (BadRequest, BudgetExceeded, Unpriced)
"""What one target cannot take and another one might: its dialect has no word for it, or it is too dear."""


class Trip:
    """To the targets of `model`, and to those of its fallbacks."""

    def __init__(self, desk: Desk, exchange: Exchange, call_next: Next, model: str) -> None:
        self._desk = desk
        self._exchange = exchange
        self._call_next = call_next
        self._models = [model]
        self._queue: list[Health] = []
        self._considered: list[Considered] = []
        self._failed: list[tuple[Health, float]] = []
        self._barred: list[tuple[Health, str]] = []
        self._unfits: list[tuple[Health, str]] = []
        self._failures: list[UpstreamFailure] = []
        self._unfit: Refusal | None = None
        self._asked = 0

    async def go(self) -> Reply:
        """Raises ModelNotFound, what the last target said, AllProvidersUnavailable where nobody said anything, or BadRequest where nobody
        can do it.
        """
        desk, exchange = self._desk, self._exchange
        served = desk.known.served(self._models[0])
        route, manners = served.route, served.manners
        exchange.record["strategy"] = manners.name
        exchange.record["candidates"] = partial(_plain, self._considered, self._barred, self._unfits)
        more = await self._add(self._models[0], served) or await self._turn(route)
        rounds = 0
        while more:
            while (health := self._next()) is not None:
                try:
                    return (await (self._hedged(health) if manners.hedge else self._leg(health))).reply
                except UpstreamFailure as failure:
                    if not failure.retry_elsewhere:
                        self._queue.clear()
                        self._failed.clear()
                except UNFIT as refusal:
                    self._unfit = refusal
            more = (rounds < manners.retries and await self._wait(rounds + 1)) or await self._turn(route)
            rounds += 1
        raise self._unfit if self._unfit is not None and not self._failures else self._verdict()

    async def _add(self, model: str, served: Served) -> bool:
        """Queues the model's targets; false where none of them can do what the request needs."""
        desk, prompt = self._desk, self._exchange.prompt
        characters = sum(map(len, prompt.texts()))
        length = await tokens(prompt, characters, served.narrow, desk.counter) if served.narrow else None
        dropped = list(unable(prompt, served, length)) if served.picky or length is not None else []
        able: Sequence[Health] = served.healths
        if dropped:
            out = [health for health, _ in dropped]
            able = [health for health in served.healths if health not in out]
        estimate = Estimate(characters, prompt.output_cap, desk.prices, desk.known.healths)
        ranking = self._rank(model, able, served.manners, estimate) if able else []
        self._considered.append(Considered(ranking, dropped, estimate))
        self._queue.extend([health for _, health in ranking])
        if not able:
            self._unfit = BadRequest(f"no target of {model} can take this request: it {dropped[0][1]}", param="model", code="unsupported")
        return bool(able)

    def _rank(self, model: str, able: Sequence[Health], manners: Manners, estimate: Estimate) -> Ranking:
        desk, exchange = self._desk, self._exchange
        asked = Asked(exchange.prompt, exchange.caller, desk.turn(model), desk.clock.monotonic(), estimate.nanos)
        ranking = manners.strategy(asked, able, desk.dice)
        stays_with = key(exchange, manners.sticky) if manners.sticky and len(able) > 1 else None
        return ranking if stays_with is None else stuck(ranking, stays_with)

    def _next(self) -> Health | None:
        """The next target that may be asked. Who wants to be left alone for a while comes last."""
        now = self._desk.clock.monotonic()
        while self._queue:
            health = self._queue.pop(0)
            why = health.bars(now)
            if not why and health.rests(now) and any(not (other.bars(now) or other.rests(now)) for other in self._queue):
                self._queue.append(health)
                continue
            if not why and self._asked >= self._desk.most_attempts:
                why = "enough were asked"
            if not why and (self._exchange.dry or health.breaker.admits(now)):
                self._asked += 1
                return health
            self._barred.append((health, why or "circuit open"))
        return None

    async def _leg(self, health: Health) -> Visit:
        """A visit that was answered."""
        exchange = self._exchange
        exchange.target = health.target
        visit = Visit(health, self._desk.clock, exchange)
        try:
            visit.answered(await self._call_next(exchange))
        except UpstreamFailure as failure:
            visit.failed(failure)
            self._failures.append(failure)
            if passes(failure):
                self._failed.append((health, retry_after(failure.headers, self._desk.clock.unix()) or 0.0))
            raise
        except UNFIT as refusal:
            visit.leave(None)
            self._unfits.append((health, refusal.message))
            raise
        except asyncio.CancelledError:
            visit.abandoned()
            raise
        return visit

    async def _hedged(self, health: Health) -> Visit:
        prompt = self._exchange.prompt
        delay = None if prompt.has_tools or self._exchange.dry else health.latency.p95(prompt.stream)
        if delay is None:
            return await self._leg(health)
        won = await first_of(self._leg(health), delay, self._second)
        won.wins()
        return won

    def _second(self) -> Coroutine[Any, Any, Visit] | None:
        health = self._next()
        if health is None:
            return None
        self._exchange.notes["hedged"] = True
        return self._leg(health)

    async def _wait(self, times: int) -> bool:
        """Until those that failed may be asked once more; false where they may not. Who wants to be left alone for long is not."""
        desk = self._desk
        again = [(health, wait) for health, wait in self._failed if wait <= desk.most_wait]
        if len(again) < len(self._failed):
            self._exchange.notes["waits_too_long"] = True
        if not again or self._asked >= desk.most_attempts:
            return False
        if not desk.budget.spend(desk.clock.monotonic()):
            self._exchange.notes["retries_used_up"] = True
            return False
        await asyncio.sleep(backoff(times, min(wait for _, wait in again), desk.dice))
        self._queue.extend(health for health, _ in again)
        self._failed.clear()
        self._exchange.notes["retries"] = times
        return True

    async def _turn(self, route: Route) -> bool:
        """To another model, if there is one for what went wrong."""
        for model in self._fallbacks(route):
            if model in self._models:
                continue
            self._models.append(model)
            try:
                served = self._desk.known.served(model)
            except ModelNotFound:  # its provider lists it no more
                continue
            caller = self._exchange.caller.key
            if (caller is None or caller.allows_model(model)) and await self._add(model, served):
                self._exchange.notes["fallback"] = model
                return True
        return False

    def _fallbacks(self, route: Route) -> Sequence[str]:
        what: Kind = kind(self._failures[-1]) if self._failures else "failure"
        return () if what == "request" else (*route.fallbacks.get(what, ()), *route.fallbacks.get("any", ()))

    def _verdict(self) -> Refusal:
        """An upstream's own error if there was one, then an answer that was none; 503 only when nobody answered."""
        for sort in (UpstreamRefusal, UpstreamBroken):
            for failure in reversed(self._failures):
                if isinstance(failure, sort):
                    return failure
        attempts: list[dict[str, Any]] = [attempt.summary() for attempt in self._exchange.attempts]
        attempts += [{"provider": h.target.provider, "model": h.target.model, "error": why} for h, why in self._barred]
        now = self._desk.clock.monotonic()
        wait = min((health.free_in(now) for health, _ in self._barred), default=1.0)
        return AllProvidersUnavailable(attempts, headers={"retry-after": str(max(1, ceil(wait)))})


def _plain(considered: Sequence[Considered], *barred: Sequence[tuple[Health, str]]) -> list[dict[str, Any]]:
    """As a record has them. It holds on to nothing of the request."""
    return [candidate for one in considered for candidate in one.plain([why for each in barred for why in each])]
