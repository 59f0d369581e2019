"""uvicorn's protocol, with the one limit that it lacks."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ailb.engines import HEADER_SECONDS


class Impatient(HttpToolsProtocol):
    """Cuts off who takes too long over a request's headers, from the connection's or the request's beginning."""

    _patience: asyncio.TimerHandle | None = None
    _in_headers = False

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
        self._patience = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _end(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
