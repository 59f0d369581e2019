"""uvicorn's protocol, with the one limit that it lacks, and its answers, which begin faster."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

_NAME: Final = b"abcdefghijklmnopqrstuvwxyz0123456789-"
_VALUE: Final = bytes([9, *range(32, 127), *range(128, 256)])
_DECIDING: Final = frozenset({b"connection", b"transfer-encoding"})
"""Headers that say how the answer goes out."""


class Impatient(HttpToolsProtocol):
    """Cuts off who takes longer than `header_seconds` over a request's headers, from the connection's or the request's beginning."""

    _patience: asyncio.TimerHandle | None = None
    _in_headers = False

    def __init__(self, header_seconds: float, *its: Any, **named: Any) -> None:
        super().__init__(*its, **named)
        self._header_seconds = header_seconds

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Most requests have all their headers in one piece, and need no timer."""
        super().data_received(data)
        if self._in_headers and self._patience is None:
            self._begin()

    def on_message_begin(self) -> None:
        self._in_headers = True
        self._end()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._end()
        super().on_headers_complete()

    def _begin(self) -> None:
        self._patience = self.loop.call_later(self._header_seconds, self.transport.close)

    def _end(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Cycle(RequestResponseCycle):
    """uvicorn searches each header of an answer with two patterns and compares it with three names. Here all are looked at together; an
    answer that has something odd is left to uvicorn. Where the length is known, the head goes out with what comes after it, as ASGI
    wants it.
    """

    _head = b""

    def send(self, message: Any) -> Coroutine[Any, Any, None]:
        """Without a coroutine more for each piece of a stream."""
        if self._head:
            return self._go_on(message)
        begun = self.response_started or self.disconnected or self.flow.write_paused
        return super().send(message) if begun or not self.keep_alive else self._begin(message)

    async def _begin(self, message: Any) -> None:
        headers = [*self.default_headers, *message.get("headers", ())]
        named = dict(headers)
        lines = b"\r\n".join([*map(b": ".join, headers), b""])
        if (
            lines.translate(None, _VALUE) != b"\r\n" * len(named)
            or b"".join(named).translate(None, _NAME)
            or not named.keys().isdisjoint(_DECIDING)
            or message.get("status") in (None, 204, 304)
            or self.scope["method"] == "HEAD"
        ):
            await super().send(message)
            return
        self.response_started = True
        self.waiting_for_100_continue = False
        length = named.get(b"content-length")
        self.chunked_encoding = length is None
        self.expected_content_length = int(length or 0)
        status = STATUS_LINE[message["status"]]
        if length is None:
            self.transport.write(b"%b%btransfer-encoding: chunked\r\n\r\n" % (status, lines))
        else:
            self._head = b"%b%b\r\n" % (status, lines)

    def _go_on(self, message: Any) -> Coroutine[Any, Any, None]:
        """To uvicorn the head is a part of the body."""
        head, self._head = self._head, b""
        self.expected_content_length += len(head)
        joined: Any = {**message, "body": head + message.get("body", b"")}
        return super().send(joined)


def install() -> None:
    """Ours in place of uvicorn's own, which has no setting for it."""
    httptools_impl.RequestResponseCycle = Cycle  # type: ignore[misc]
