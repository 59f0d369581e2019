"""The way out: one HTTP response to one client, over ASGI."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import orjson
from starlette.types import Message, Scope, Send

from ailb.errors import Refusal

JSON = "application/json"
SLICE: Final = 64 * 1024
"""What is handed to the server at once of a whole answer. A smaller one fits a socket's buffers, so nobody waits for its reader."""

FRESH: Final[Mapping[str, str]] = MappingProxyType({"cache-control": "no-store", "vary": "Authorization"})
"""No answer may be kept by anything in between, and none is for somebody else."""


class Outlet:
    """Whole: `whole()`. Streamed: `start()`, `write()`..., `finish()`.

    While a stream is open, `beat` goes out whenever nothing else did for `beat_seconds`, and `stalled()` is called once when the
    client takes nothing for `write_seconds`. A heartbeat may come before `start()`: then the response starts with `early`, a 200,
    and what is still to come, an error too, has to come inside of it.
    """

    def __init__(self, send: Send, id: str) -> None:
        self._send = send
        self._id = id
        self._loop = asyncio.get_running_loop()
        self.status: int | None = None
        self._sending: float | None = None
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None

    @property
    def started(self) -> bool:
        return self.status is not None

    async def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        headers = {"content-type": JSON, "content-length": str(len(body)), **headers}
        await self.start(status, headers)
        last = max(0, len(body) - 1) // SLICE * SLICE
        for at in range(0, last, SLICE):
            await self._write(body[at : at + SLICE], more=True)
        await self._write(body[last:], more=False)

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        headers = {**FRESH, **headers, "x-request-id": self._id}
        await self._send({"type": "http.response.start", "status": status, "headers": encoded(headers)})

    async def write(self, data: bytes) -> None:
        while self._beating is not None:
            await self._beating
        await self._write(data, more=True)

    async def finish(self, data: bytes) -> None:
        """The reader is watched until it has taken this too."""
        while self._beating is not None:
            await self._beating
        await self._write(data, more=False)
        self.stop()

    def watch(
        self, *, beat: bytes, beat_seconds: float, write_seconds: float, early: Mapping[str, str], stalled: Callable[[], None]
    ) -> None:
        """Begins the heartbeats of a stream and the watch over its reader. `stop()` or `finish()` ends both."""
        loop = self._loop
        self._last = loop.time()

        def look() -> None:
            now = loop.time()
            due = now + beat_seconds
            if self._sending is not None:
                due = self._sending + write_seconds
                if due <= now:
                    stalled()
                    return
            elif beat and self._beating is None:
                if self._last + beat_seconds <= now:
                    self._beating = loop.create_task(self._beat(beat, early))
                else:
                    due = self._last + beat_seconds
            self._timer = loop.call_at(due, look)

        self._timer = loop.call_later(min(beat_seconds, write_seconds), look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _beat(self, beat: bytes, early: Mapping[str, str]) -> None:
        try:
            if self._timer is None:  # it was over before this could run
                return
            if not self.started:
                await self.start(200, early)
            await self._write(beat, more=True)
        finally:
            self._beating = None

    async def _write(self, data: bytes, *, more: bool) -> None:
        self._sending = self._last = self._loop.time()
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
        self._sending = None


async def refuse(send: Send, refusal: Refusal, id: str, *, body: bytes | None = None, close: bool = False) -> None:
    """Answers with the refusal; `body` where the client's dialect has its own shape. `close`: nothing more is read from this connection."""
    headers = {**refusal.headers, **({"connection": "close"} if close else {})}
    await Outlet(send, id).whole(refusal.status, headers, orjson.dumps(refusal.body()) if body is None else body)


def stamped(scope: Scope, send: Send) -> Send:
    """For answers that are not an Outlet's: their request's id, and that they may not be kept."""
    stamp = encoded({**FRESH, "x-request-id": scope["ailb.id"]})

    async def stamping(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *((name, value) for name, value in stamp if name not in names)]
        await send(message)

    return stamping


def collected(send: Send) -> Send:
    """For HTTP/1.0, which knows no chunks: holds a stream back until its length is known."""
    start: list[Message] = []
    parts: list[bytes] = []

    async def collecting(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.append(message)
            return
        parts.append(message.get("body", b""))
        if message.get("more_body"):
            return
        body = b"".join(parts)
        names = {name for name, _ in start[0]["headers"]}
        length = [] if b"content-length" in names else [(b"content-length", b"%d" % len(body))]
        await send({**start[0], "headers": [*start[0]["headers"], *length]})
        await send({"type": "http.response.body", "body": body})

    return collecting


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """As ASGI wants them. A value that HTTP could not carry loses what does not fit, CR and LF first of all."""
    return [
        (name.encode("latin-1"), value.encode() if value.isascii() and value.isprintable() else _fitting(value))
        for name, value in headers.items()
    ]


def _fitting(value: str) -> bytes:
    return "".join(c for c in value if c.isprintable()).encode("latin-1", "replace")
