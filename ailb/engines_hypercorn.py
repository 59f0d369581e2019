"""What of Hypercorn is replaced: its HTTP/2, how its HTTP/1.1 writes, and its connections, which leave less behind."""

from functools import partial
from typing import Any

import h11
import hypercorn.asyncio.run
import hypercorn.protocol
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Event, RawData
from hypercorn.protocol.h11 import H11Protocol

from ailb.engines_h2 import Bounded
from ailb.errors import forget_way


class Tidy(TCPServer):
    """A connection has its protocol, and that has the connection: a cycle, and 40 objects of each wait for Python's collector. What broke
    it is another, and asyncio's transport, which has a method of its own. And asyncio complains of each piece that is written to a client
    that is gone.
    """

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            for name in ("protocol", "_task_group"):  # neither is there, if it was over before it began
                vars(self).pop(name, None)
            forget_way(self.reader.exception())
            vars(self.writer.transport).pop("_read_ready_cb", None)  # nothing is read any more: it is closed, or on its way

    async def protocol_send(self, event: Event) -> None:
        gone = isinstance(event, RawData) and self.writer.is_closing()
        await super().protocol_send(RawData(b"") if gone else event)  # which still tells the protocol


class Joined(H11Protocol):
    """The head of an answer goes out with what comes after it, as ASGI wants it, and an end that takes no bytes needs no writing."""

    _head = b""

    async def _send_h11_event(self, event: Any) -> None:
        try:
            data = self.connection.send(event) or b""
        except h11.LocalProtocolError:  # as Hypercorn
            if self.connection.their_state != h11.ERROR:
                raise
            return
        if type(event) is h11.Response:
            self._head = data
            return
        data, self._head = self._head + data, b""
        if data:
            await self.send(RawData(data))


def install(write_seconds: float) -> None:
    """Ours in place of Hypercorn's own, which has no setting for any of it."""
    hypercorn.protocol.H2Protocol = partial(Bounded, write_seconds)  # type: ignore[attr-defined, assignment]
    hypercorn.protocol.H11Protocol = Joined  # type: ignore[attr-defined]
    hypercorn.asyncio.run.TCPServer = Tidy  # type: ignore[attr-defined]
