"""Hypercorn's HTTP/2, with the limits that it lacks.

A frame costs its sender nothing and us something: so there are rapid resets (CVE-2023-44487), and floods of pings, settings, priorities and
empty data (CVE-2019-9511 to 9518). Frames that carry nothing are paid from a purse, as with nghttp2's limit of resets; time, and what the
client takes, fill it again.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, PriorityUpdated, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError, StreamClosedError
from hypercorn.events import Closed, RawData
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h2 import H2Protocol

PURSE: Final = 1000.0
"""Frames that carry nothing, all at once, on one connection."""

A_SECOND: Final = 100.0
BYTES: Final = 1024
"""Taken by the client, they are worth one frame of its."""

WIDENED: Final = 2
"""Frames with which some clients answer each of ours that has data: they widen the windows of the stream and of the connection."""

RESET: Final = 16.0
"""A reset costs as much as so many other frames: a request was begun for nothing. 62 at once, then 6 a second."""

FLUSH_SECONDS: Final = 0.1
"""How long the word that a stream is reset may take. The socket of a client that does not read is full."""

SLICE: Final = 8192
"""Bytes that are read before others have their turn: as settings they are 900 frames."""


class Bounded(H2Protocol):
    """Ends a connection whose purse is empty, by ENHANCE_YOUR_CALM, and a stream of which the client takes too little: what was sent has
    `write_seconds` to get below what Hypercorn buffers, 32 KB, and the end of an answer to get away.

    Priorities are ignored (RFC 9113, 5.3.2).
    """

    def __init__(self, write_seconds: float, *given: Any) -> None:
        super().__init__(*given)
        self._write_seconds = write_seconds
        self._sending = asyncio.Lock()
        self._purse = PURSE
        self._filled = asyncio.get_running_loop().time()

    async def handle(self, event: Any) -> None:
        if not isinstance(event, RawData) or len(event.data) <= SLICE:
            await super().handle(event)
            if self.closed:
                await self._release()
            return
        for start in range(0, len(event.data), SLICE):
            if not self.closed:
                await super().handle(RawData(event.data[start : start + SLICE]))
                await asyncio.sleep(0)

    async def stream_send(self, event: Any) -> None:
        buffer = self.stream_buffers.get(event.stream_id)
        if isinstance(event, StreamClosed) and buffer is not None and not buffer.complete:
            await self._cut(event.stream_id, ErrorCodes.INTERNAL_ERROR)  # else its client would wait for the rest
        try:
            async with asyncio.timeout(self._write_seconds):
                await super().stream_send(event)
        except TimeoutError:
            await self._cut(event.stream_id, ErrorCodes.CANCEL)

    async def _cut(self, stream_id: int, code: ErrorCodes) -> None:
        with suppress(ProtocolError):  # such as: it is over anyway
            self.connection.reset_stream(stream_id, code)
        await self._close_stream(stream_id)
        if (buffer := self.stream_buffers.get(stream_id)) is not None:
            await buffer.close()
        await self._window_updated(stream_id)
        with suppress(TimeoutError):  # then it goes out with whatever goes out next
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._flush()

    async def _handle_events(self, events: list[Event]) -> None:
        for event in events:
            if self.closed:
                return
            if not self._pays(event):
                await self._end(ErrorCodes.ENHANCE_YOUR_CALM)
                return
            try:
                await self._handle_event(event)
            except StreamClosedError:  # it was over when its turn came
                pass
            except ProtocolError:
                await self._end(ErrorCodes.PROTOCOL_ERROR)
                return
        await self._flush()

    async def _handle_event(self, event: Event) -> None:
        if isinstance(event, PriorityUpdated):
            return
        if isinstance(event, RequestReceived) and not _plain(event):
            self.connection.reset_stream(event.stream_id, ErrorCodes.PROTOCOL_ERROR)
        elif isinstance(event, DataReceived) and event.stream_id not in self.streams:
            # It was answered before all of it was read (RFC 9113, 8.1).
            self.connection.reset_stream(event.stream_id, ErrorCodes.NO_ERROR)
        else:
            self.keep_alive_requests = 0  # else Hypercorn ends a connection amid the answers on it
            await super()._handle_events([event])

    def _pays(self, event: Event) -> bool:
        """Whether it could."""
        now = asyncio.get_running_loop().time()
        self._purse = min(self._purse + (now - self._filled) * A_SECOND, PURSE)
        self._filled = now
        self._purse -= _price(event)
        return self._purse >= 0

    async def _end(self, code: ErrorCodes) -> None:
        """Every request on it is as if its client had left."""
        self.connection.close_connection(code)
        last = self.connection.data_to_send()
        await self.handle(Closed())
        await self.send(RawData(last))
        await self.send(Closed())

    async def _release(self) -> None:
        """Who waits for the client to take something; nobody sends it any more."""
        for buffer in self.stream_buffers.values():
            await buffer.close()

    async def _send_data(self, stream_id: int) -> None:
        buffer = self.stream_buffers.get(stream_id)
        held = len(buffer.buffer) if buffer is not None else 0
        await super()._send_data(stream_id)
        if buffer is not None and len(buffer.buffer) < held:
            self._purse = min(self._purse + WIDENED, PURSE)

    async def _flush(self) -> None:
        """One at a time, so that nobody is cancelled between taking the bytes and writing them, and nobody writes to who has left."""
        async with self._sending:
            data = b"" if self.closed else self.connection.data_to_send()
            if data:
                self._purse = min(self._purse + len(data) / BYTES, PURSE)
                await self.send(RawData(data))


def _price(event: Event) -> float:
    if isinstance(event, StreamReset):
        return RESET
    carries = isinstance(event, (RequestReceived, StreamEnded)) or (isinstance(event, DataReceived) and bool(event.data))
    return 0.0 if carries else 1.0


def _plain(request: RequestReceived) -> bool:
    """Whether Hypercorn can take it: CONNECT has no path, and it decodes both as ASCII."""
    given: dict[bytes, bytes] = dict(request.headers or ())
    return given.get(b":method") != b"CONNECT" and all(given.get(name, b"").isascii() for name in (b":method", b":path"))
