"""One HTTP request, on aiohttp's connections and with its parser.

aiohttp's session does for each request what nobody here asks for: redirects, cookies, proxies, authentication, tracing, timers, a task
that writes the body, headers merged three times. That took more of the processor than everything that AILB does itself. What is left of
it is written down here: a pool of connections (with TLS, names and addresses), its parser, and the reader of a body.

Not in aiohttp's documentation, so checked by tests on real sockets: `Connection.protocol`, `ResponseHandler`, its `set_response_params`,
`read` and `resume_reading`, how its reader of a body waits, and the connector's `_factory` and `_resolve_host`.
"""

import asyncio
from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from yarl import URL

from ailb.provider import is_public

POOLED_SECONDS = 15.0
"""Idle connections are dropped before providers do it: a POST on a socket that is just being closed is lost."""

JOINED_BYTES = 64 * 1024
"""A body up to this size goes out in one write with its head; a larger one is not copied for that."""


class Stale(Exception):
    """A pooled socket that the upstream closed just now took the request with it: not one byte was answered. `lost` is how it ended."""

    def __init__(self, lost: Exception) -> None:
        super().__init__(str(lost))
        self.lost = lost


class Answer:
    """Status, headers and the body's reader. Its connection goes back to the pool when the body was read to its end."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], content: aiohttp.StreamReader, connection: Connection) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self._connection = connection
        content.on_eof(partial(_release, connection))

    def coming(self) -> "asyncio.Future[None] | None":
        """What to wait for before `content.read_nowait()`; None where there is something to read, or nothing more to come. One that was
        awaited may have been for nothing. As aiohttp waits, without its three coroutines and its timer for each piece.
        """
        content: Any = self.content
        if content.is_eof() or content._buffer or content._exception is not None:
            return None
        waiter: asyncio.Future[None] = content._loop.create_future()
        content._waiter = waiter
        return waiter

    def close(self) -> None:
        """Idempotent. An answer that was not read to its end takes its connection with it, and tells whoever still reads."""
        content = self.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientConnectionError("Connection closed"))
        self._connection.close()


class Client:
    """Requests to one provider. `headers` go with each of them. Made inside of a running loop; `close` it."""

    def __init__(self, headers: Mapping[str, str], *, connect_seconds: float, local: bool) -> None:
        self._headers = headers
        self._connector = _Connector(local)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds)
        self._routes: dict[tuple[str, URL], _Route] = {}
        self._via = ("", b"")
        """The last `via`, and its line: nearly all are the same."""

    async def ask(self, method: str, url: URL, body: bytes = b"", headers: Mapping[str, str] | None = None, via: str = "") -> Answer:
        """The answer's beginning; its body may still be on its way.

        Raises Stale, aiohttp's ClientError, HttpProcessingError for what is not HTTP, ValueError for what HTTP cannot carry.
        """
        route = self._routes.get((method, url)) or self._route(method, url)
        head = _lines({**route.headers, **headers}) if headers else route.lines
        if via:
            if via != self._via[0]:
                self._via = (via, _lines({"via": via}))
            head += self._via[1]
        if body or method != "GET":
            head += b"content-length: %d\r\n" % len(body)
        try:
            connection = await self._connector.connect(route.request, [], self._timeout)
        except TimeoutError as late:
            raise aiohttp.ConnectionTimeoutError("connect") from late
        protocol: Any = connection.protocol
        used, protocol.used = protocol.used, True
        try:
            _send(protocol, b"%b%b\r\n" % (route.line, head), body)
            while True:
                message, content = await protocol.read()
                if message.code >= 200 or message.code == 101:
                    protocol.asked = False
                    return Answer(message.code, message.headers, content, connection)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as lost:
            connection.close()
            if used:
                raise Stale(lost) from lost
            raise
        except BaseException:  # whatever it was, cancellation too: nobody else knows this connection
            connection.close()
            raise

    async def close(self) -> None:
        await self._connector.close()

    def _route(self, method: str, url: URL) -> "_Route":
        route = _Route(method, url, self._headers)
        if len(self._routes) < 1000:
            self._routes[method, url] = route
        return route


class _Route:
    """What is the same in all requests to one address."""

    __slots__ = ("headers", "line", "lines", "request")

    def __init__(self, method: str, url: URL, headers: Mapping[str, str]) -> None:
        self.request = _Request(method, url, loop=asyncio.get_running_loop())  # only ever asked where it goes to
        self.line = f"{method} {url.raw_path_qs} HTTP/1.1\r\n".encode()
        self.headers = {"host": self.request.headers["Host"], "accept": "*/*", **headers}
        self.lines = _lines(self.headers)


class _Request(aiohttp.ClientRequest):
    """aiohttp makes the key of the pool anew each time that it is asked."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        return super().connection_key


class _Protocol(ResponseHandler):
    """aiohttp keeps a parse error in the middle of a body to itself, and whoever reads the body sleeps on: so the body is told too."""

    used = False
    """Whether a request went over it before."""

    asked = False
    """Whether an answer is awaited. One that nobody asked for would pass for the next request's, and that one's for the one after it."""

    def feed_data(self, data: Any, size: int = 0) -> None:
        """An answer's head, and the reader of its body."""
        if self.asked:
            super().feed_data(data, size)
        else:
            self.close()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """After each read aiohttp lets its parser go on, which has something left only if it was paused."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._own = getattr(transport, "__dict__", {})

    def connection_lost(self, exc: BaseException | None) -> None:
        """asyncio's transport has a method of its own: a cycle, which would wait for Python's collector. uvloop's has none."""
        super().connection_lost(exc)
        getattr(self, "_own", {}).pop("_read_ready_cb", None)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        body = self._payload
        if body is not None and body.exception() is None and not body.is_eof():
            body.set_exception(aiohttp.ClientPayloadError("the upstream's answer is not HTTP"))


class _Connector(aiohttp.TCPConnector):
    """Connects only to allowed addresses.

    The address is checked at each connect, so a name cannot change its mind later, and an address that is written out is no way round.
    """

    def __init__(self, local: bool) -> None:
        super().__init__(limit=0, limit_per_host=0, keepalive_timeout=POOLED_SECONDS)
        self._factory: Any = partial(_Protocol, loop=asyncio.get_running_loop())
        self._local = local

    async def _resolve_host(self, *args: Any, **kwargs: Any) -> list[ResolveResult]:
        found = await super()._resolve_host(*args, **kwargs)
        if not self._local and not all(is_public(result["host"]) for result in found):
            raise OSError(None, "base_url leads to an address of this network; set local = true on the provider if that is meant")
        return found


def _send(protocol: Any, head: bytes, body: bytes) -> None:
    protocol.set_response_params(read_until_eof=True)
    protocol.asked = True
    if len(body) > JOINED_BYTES:
        protocol.transport.write(head)
        protocol.transport.write(body)
    else:
        protocol.transport.write(head + body)


def _release(connection: Connection) -> None:
    """Back to the pool, unless the upstream answered before it took the whole request: what is left of that would hold up the next."""
    transport = connection.transport
    if transport is not None and transport.get_write_buffer_size():
        connection.close()
    else:
        connection.release()


def _lines(headers: Mapping[str, str]) -> bytes:
    """Raises ValueError for what would be another line, or the end of all of them."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers) or "\0" in lines:
        raise ValueError("a header has a line break in it")
    return lines.encode()
