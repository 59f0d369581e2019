"""Asking providers which models they have, at the start and again and again."""

import asyncio
from typing import Final, Protocol, runtime_checkable

import structlog

from ailb.errors import UpstreamFailure
from ailb.loader import Snapshot

LOG = structlog.get_logger("ailb.discovery")
FIRST_SECONDS: Final = 1.0
"""How long the start waits for the first answers. A provider that is slower, or down, is asked again in the background."""


@runtime_checkable
class Lister(Protocol):
    """A provider that can say which models it has."""

    async def models(self) -> list[str] | None: ...


async def discover(snapshot: Snapshot) -> list[asyncio.Task[None]]:
    """Starts a task for each provider that the config wants asked; the caller cancels them."""
    tasks: list[asyncio.Task[None]] = []
    firsts: dict[str, asyncio.Event] = {}
    for config in snapshot.config.provider:
        provider = snapshot.providers.get(config.name)
        wanted = config.discover if config.discover is not None else not snapshot.models.offers.get(config.name)
        if wanted and isinstance(provider, Lister):
            first = firsts[config.name] = asyncio.Event()
            tasks.append(asyncio.create_task(_keep_asking(snapshot, provider, config.name, config.discover_seconds, first)))
    try:
        async with asyncio.timeout(FIRST_SECONDS):
            for first in firsts.values():
                await first.wait()
    except TimeoutError:
        LOG.warning("models not discovered yet", providers=[name for name, first in firsts.items() if not first.is_set()])
    return tasks


async def _keep_asking(snapshot: Snapshot, provider: Lister, name: str, seconds: float, first: asyncio.Event) -> None:
    while True:
        try:
            names = await provider.models()
            if names is not None:
                snapshot.models.offer(name, names)
        except UpstreamFailure as failure:
            LOG.warning("models not discovered", provider=name, error=failure.message)
        # A list that trips its dialect today may be a better one tomorrow.
        except Exception:
            LOG.exception("models not discovered", provider=name)
        first.set()
        await asyncio.sleep(seconds)
