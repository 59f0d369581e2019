"""Asking providers whether they are there, where the configuration wants that: `health_seconds`.

The question is the list of their models, which costs nothing. It is asked all the time, not only when something is wrong: so a provider
that is down is left alone before many requests have found out, and one that is back is asked again at once.
"""

import asyncio
from typing import Final

import structlog

from ailb.breaker import Breaker
from ailb.clock import Clock
from ailb.discovery import Lister
from ailb.errors import UpstreamFailure, UpstreamRefusal
from ailb.health import Healths
from ailb.loader import Snapshot

LOG = structlog.get_logger("ailb.health_checks")
ILL: Final = 500
"""The first status with which a provider says that it is not well. What is below is about the key, or the list."""


def look_after(snapshot: Snapshot, clock: Clock) -> list[asyncio.Task[None]]:
    """Starts a task for each provider that the config wants looked after; the caller cancels them."""
    tasks: list[asyncio.Task[None]] = []
    for table in snapshot.config.provider:
        provider = snapshot.providers.get(table.name)
        if table.health_seconds is not None and isinstance(provider, Lister):
            check = _Check(provider, table.name, snapshot.healths, clock)
            tasks.append(asyncio.create_task(check.repeat(table.health_seconds)))
    return tasks


class _Check:
    """One provider's."""

    def __init__(self, provider: Lister, name: str, healths: Healths, clock: Clock) -> None:
        self._provider = provider
        self._name = name
        self._healths = healths
        self._clock = clock

    async def repeat(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self()

    async def __call__(self) -> None:
        try:
            await self._provider.models()
        except UpstreamFailure as failure:
            if not isinstance(failure, UpstreamRefusal) or failure.status >= ILL:
                LOG.warning("provider does not answer", provider=self._name, error=failure.message)
                self._tell(well=False)
            else:
                self._healths.checked(self._name, "unknown")
        # A list that trips its dialect says nothing about the provider's health; the next one may be better.
        except Exception:
            LOG.exception("provider not checked", provider=self._name)
            self._healths.checked(self._name, "unknown")
        else:
            self._tell(well=True)

    def _tell(self, *, well: bool) -> None:
        """Of those that were asked at all: of others there is nothing to know yet."""
        self._healths.checked(self._name, "well" if well else "ill")
        now = self._clock.monotonic()
        for health in self._healths:
            if health.target.provider != self._name:
                continue
            if not well:
                health.breaker.failed(now)
            elif health.breaker.opened is not None:
                _close(health.breaker)
            health.tell()


def _close(breaker: Breaker) -> None:
    """On parole: a list is no answer of a model, so the first request that fails opens the circuit again."""
    breaker.succeeded()
    breaker.failures = breaker.after - 1
