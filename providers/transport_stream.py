"""A streamed answer, chunk by chunk: read as it comes, watched for silence, and closed when it is over."""

import asyncio
import os
from typing import Self

import aiohttp

from ailb.dialect import Decoder, Event
from ailb.errors import UpstreamBroken, UpstreamRefusal, UpstreamStalled
from ailb.provider import Settings
from ailb.sse import EventTooLarge
from ailb.watchdog import Watchdog
from providers.transport_client import Answer

GOODBYE_SECONDS = 0.25
"""How long a finished stream's connection is given to end properly, so that it can be used again."""

LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, aiohttp.ClientOSError)
"""How a connection ends that should not."""


class Stream:
    """The batches of one streamed answer."""

    def __init__(self, response: Answer, decoder: Decoder, settings: Settings) -> None:
        self._response = response
        self._decoder = decoder
        self._settings = settings
        self._ready: list[Event] | None = None
        self._ended = False
        self._idle: Watchdog | None = None
        self._total: asyncio.TimerHandle | None = None

    def __aiter__(self) -> Self:
        return self

    async def begin(self) -> None:
        """Returns once the first event is there. Raises UpstreamFailure if there is none."""
        try:
            self._ready = await self.__anext__()
        except StopAsyncIteration:
            raise UpstreamBroken("the upstream's stream was empty") from None
        timeouts = self._settings.timeouts
        self._idle = Watchdog(timeouts.idle, lambda: self._expire(f"silent for {timeouts.idle:g} seconds"))
        loop = asyncio.get_running_loop()
        self._total = loop.call_later(timeouts.total, self._expire, f"not finished after {timeouts.total:g} seconds")

    async def __anext__(self) -> list[Event]:
        if self._ready is not None:
            batch, self._ready = self._ready, None
            return batch
        while not self._ended:
            self._check()
            if self._decoder.done:
                await self._goodbye()
                break
            chunk = await self._read()
            if not chunk:
                self._ended = True
            if events := self._decode(chunk):
                return events
        self._check()
        raise StopAsyncIteration

    def close(self) -> None:
        """Idempotent. A stream that was not read to its end takes its connection with it."""
        if self._idle is not None:
            self._idle.stop()
        if self._total is not None:
            self._total.cancel()
        self._response.close()

    def _check(self) -> None:
        """Raises what the upstream said inside of its 200."""
        error = self._decoder.error
        if error is None:
            return
        if isinstance(error, UpstreamRefusal):
            raise error.hide(self._settings.api_key)
        raise error

    def _decode(self, chunk: bytes) -> list[Event]:
        try:
            return self._decoder.feed(chunk) if chunk else self._decoder.end()
        except EventTooLarge as large:
            raise UpstreamBroken(str(large)) from large

    async def _read(self) -> bytes:
        idle = self._idle
        if idle is not None:
            idle.waiting()
        try:
            chunk = await self._response.content.readany()
        except LOST as lost:
            raise UpstreamBroken(f"the upstream's stream was cut: {reason(lost)}") from lost
        if idle is not None:
            idle.done()
        return chunk

    async def _goodbye(self) -> None:
        """All was said; what may still come is the end of the HTTP message."""
        self._ended = True
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._response.content.readany()
        except (TimeoutError, *LOST):
            self._response.close()

    def _expire(self, why: str) -> None:
        self._response.content.set_exception(UpstreamStalled(f"the upstream's stream was {why}"))
        self._response.close()


def reason(lost: Exception) -> str:
    """What happened, without the address at which it happened."""
    if isinstance(lost, aiohttp.ClientConnectorError):
        return os.strerror(lost.errno) if lost.errno and lost.errno > 0 else lost.strerror or "refused"
    names = {"ServerDisconnectedError": "closed by the upstream", "ConnectionTimeoutError": "timed out"}
    return names.get(type(lost).__name__, type(lost).__name__)
