"""The way out: one HTTP response to one client, over ASGI."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import orjson
from starlette.types import Message, Scope, Send

from ailb.errors import Refusal

JSON = "application/json"
SLICE: Final = 64 * 1024
"""What is handed to the server at once of a whole answer. A smaller one fits a socket's buffers, so nobody waits for its reader."""

FRESH: Final[Mapping[str, str]] = {"cache-control": "no-store", "vary": "Authorization"}
"""No answer may be kept by anything in between, and none is for somebody else."""

UNBUFFERED: Final[Mapping[str, str]] = {"cache-control": "no-cache, no-store", "x-accel-buffering": "no"}
"""A stream may not be kept back either."""

_NAMES: Final[Mapping[str, bytes]] = {
    name: name.encode()
    for name in (
        *("cache-control", "content-length", "content-type", "vary", "x-accel-buffering", "x-request-id"),
        *("x-ailb-provider", "x-ailb-model", "x-ailb-attempts", "x-ailb-latency-ms", "x-ailb-cost-usd", "x-ailb-budget-remaining-usd"),
        *(f"x-ratelimit-{told}-{what}" for told in ("limit", "remaining", "reset") for what in ("requests", "tokens")),
    )
}
_VALUES: Final[Mapping[str, bytes]] = {
    value: value.encode() for value in (JSON, *FRESH.values(), "text/event-stream; charset=utf-8", "no-cache, no-store", "no", "0", "1")
}
"""What stands in most answers, encoded once: a server keeps an answer's headers for as long as a stream is open."""


class Outlet:
    """Whole: `whole()`. Streamed: `start()`, `write()`..., `finish()`.

    While a stream is open, `beat` goes out whenever nothing else did for `beat_seconds`, and `stalled()` is called once when the
    client takes nothing for `write_seconds`. A heartbeat may come before `start()`: then the response starts with `early()`, a 200,
    and what is still to come, an error too, has to come inside of it.
    """

    __slots__ = (
        "_beat",
        "_beat_seconds",
        "_beating",
        "_early",
        "_id",
        "_last",
        "_loop",
        "_send",
        "_sending",
        "_stalled",
        "_timer",
        "_write_seconds",
        "started",
        "status",
    )

    def __init__(self, send: Send, id: str) -> None:
        self._send = send
        self._id = id
        self._loop = asyncio.get_running_loop()
        self.status: int | None = None
        self.started = False
        self._sending: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None

    async def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        await self.start(status, {"content-type": JSON, "content-length": str(len(body)), **headers})
        at = 0
        while len(body) - at > SLICE:
            await self._write(body[at : at + SLICE], more=True)
            at += SLICE
        await self._write(body[at:], more=False)

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.started = True
        headers = {**FRESH, **headers, "x-request-id": self._id}
        self._sending = self._last = self._loop.time()
        await self._send({"type": "http.response.start", "status": status, "headers": encoded(headers)})
        self._sending = None

    async def write(self, data: bytes) -> None:
        while self._beating is not None:
            await self._beating
        self._sending = self._last = self._loop.time()  # as `_write`, without another coroutine for each chunk
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._sending = None

    async def finish(self, data: bytes) -> None:
        """The reader is watched until it has taken this too."""
        while self._beating is not None:
            await self._beating
        await self._write(data, more=False)
        self.stop()

    def watch(
        self, *, beat: bytes, beat_seconds: float, write_seconds: float, early: Callable[[], Mapping[str, str]], stalled: Callable[[], None]
    ) -> None:
        """Begins the heartbeats of a stream and the watch over its reader. `stop()` or `finish()` ends both."""
        self._beat = beat
        self._beat_seconds = beat_seconds
        self._write_seconds = write_seconds
        self._early = early
        self._stalled = stalled
        self._last = self._loop.time()
        self._timer = self._loop.call_later(min(beat_seconds, write_seconds), self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            del self._early, self._stalled  # they have who has this: a cycle

    def _look(self) -> None:
        now = self._loop.time()
        due = now + self._beat_seconds
        if self._sending is not None:
            due = self._sending + self._write_seconds
            if due <= now:
                self._stalled()
                return
        elif self._beat and self._beating is None:
            if self._last + self._beat_seconds <= now:
                self._beating = self._loop.create_task(self._send_beat())
            else:
                due = self._last + self._beat_seconds
        self._timer = self._loop.call_at(due, self._look)

    async def _send_beat(self) -> None:
        try:
            if self._timer is None:  # it was over before this could run
                return
            if not self.started:
                await self.start(200, self._early())
            await self._write(self._beat, more=True)
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
    values = "".join(headers.values())
    if values.isascii() and values.isprintable():
        return [(_NAMES.get(name) or name.encode("latin-1"), _VALUES.get(value) or value.encode()) for name, value in headers.items()]
    return [(name.encode("latin-1"), _fitting(value)) for name, value in headers.items()]


def _fitting(value: str) -> bytes:
    return "".join(c for c in value if c.isprintable()).encode("latin-1", "replace")
