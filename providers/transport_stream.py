"""A streamed answer, chunk by chunk: read as it comes, watched for silence, and closed when it is over."""

import asyncio
import os
from typing import NoReturn, Self

import aiohttp

from ailb.dialect import Decoder, Event
from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal, UpstreamStalled
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

    __slots__ = ("_content", "_decoder", "_ended", "_idle", "_ready", "_response", "_settings")

    def __init__(self, response: Answer, decoder: Decoder, settings: Settings) -> None:
        self._response = response
        self._content = response.content
        self._decoder = decoder
        self._settings = settings
        self._ready: list[Event] | None = None
        self._ended = False
        self._idle: Watchdog | None = None

    def __aiter__(self) -> Self:
        return self

    async def begin(self) -> None:
        """Returns once the first event is there. Raises UpstreamFailure if there is none."""
        try:
            self._ready = await self.__anext__()
        except StopAsyncIteration:
            raise UpstreamBroken("the upstream's stream was empty") from None
        timeouts = self._settings.timeouts
        self._idle = Watchdog(timeouts.idle, self._expire, timeouts.total)

    async def __anext__(self) -> list[Event]:
        if self._ready is not None:
            batch, self._ready = self._ready, None
            return batch
        response, decoder, idle = self._response, self._decoder, self._idle
        while not self._ended:
            if decoder.error is not None:
                self._fail(decoder.error)
            if decoder.done:
                await self._goodbye()
                break
            if idle is not None:
                idle.waiting()
            try:
                while (coming := response.coming()) is not None:
                    await coming
                chunk = self._content.read_nowait()
            except LOST as lost:
                raise UpstreamBroken(f"the upstream's stream was cut: {reason(lost)}") from lost
            if idle is not None:
                idle.done()
            if events := self._decode(chunk):
                return events
        if decoder.error is not None:
            self._fail(decoder.error)
        raise StopAsyncIteration

    def close(self) -> None:
        """Idempotent. A stream that was not read to its end takes its connection with it."""
        idle, self._idle = self._idle, None  # which has this: a cycle
        if idle is not None:
            idle.stop()
        self._response.close()

    def _fail(self, error: UpstreamFailure) -> NoReturn:
        """Raises what the upstream said inside of its 200."""
        if isinstance(error, UpstreamRefusal):
            raise error.hide(*self._settings.secrets)
        raise error

    def _decode(self, chunk: bytes) -> list[Event]:
        self._ended = not chunk
        try:
            return self._decoder.feed(chunk) if chunk else self._decoder.end()
        except EventTooLarge as large:
            raise UpstreamBroken(str(large)) from large

    async def _goodbye(self) -> None:
        """All was said; what may still come is the end of the HTTP message."""
        self._ended = True
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._content.readany()
        except (TimeoutError, *LOST):
            self._response.close()

    def _expire(self) -> None:
        timeouts, late = self._settings.timeouts, self._idle is not None and self._idle.late
        why = f"not finished after {timeouts.total:g} seconds" if late else f"silent for {timeouts.idle:g} seconds"
        self._content.set_exception(UpstreamStalled(f"the upstream's stream was {why}"))
        self._response.close()


def reason(lost: Exception) -> str:
    """What happened, without the address at which it happened."""
    if isinstance(lost, aiohttp.ClientConnectorError):
        return os.strerror(lost.errno) if lost.errno and lost.errno > 0 else lost.strerror or "refused"
    names = {"ServerDisconnectedError": "closed by the upstream", "ConnectionTimeoutError": "timed out"}
    return names.get(type(lost).__name__, type(lost).__name__)
