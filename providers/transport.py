"""All I/O with upstreams: a request out, a Reply back, and nothing of it believed.

One session a provider, so that a hung provider holds no connection that another needs. Four timeouts: `connect` (a fresh socket),
`first_token` (until a stream's first event), `idle` (between two reads of an answer that has begun), `total`.
"""

import asyncio
from contextvars import ContextVar
from functools import partial
from typing import Any, Self

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from ailb import __version__
from ailb.deadline import Deadline
from ailb.dialect import Dialect, Outgoing, Target
from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal, UpstreamSilent
from ailb.exchange import Exchange, Reply, batches_of
from ailb.headers import passed_on
from ailb.provider import Settings, is_public
from providers.transport_stream import LOST, Stream, reason

MOST_ERROR_BYTES = 1 << 20
MOST_LISTING_BYTES = 16 << 20
POOLED_SECONDS = 15.0
"""Idle connections are dropped before providers do it: a POST on a socket that is just being closed is lost."""


class HttpProvider:
    """A provider behind an HTTP address. Enter it before it is asked."""

    def __init__(self, dialect: Dialect, settings: Settings) -> None:
        self.dialect = dialect
        self.settings = settings
        self._headers = _headers(settings)
        self._urls: dict[str, URL] = {}
        self._fresh: ContextVar[bool] = ContextVar("fresh", default=False)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = _Connector(self._fresh, self.settings)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.settings.timeouts.connect),
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __call__(self, exchange: Exchange, target: Target) -> Reply:
        """Raises UpstreamSilent (no answer), UpstreamRefusal (an error status), UpstreamBroken (not an answer)."""
        stream = exchange.prompt.stream
        outgoing = self.dialect.request(exchange.prompt, target)
        limit = self.settings.timeouts.first_token if stream else self.settings.timeouts.total
        try:
            with Deadline(limit, exchange.task):
                response = await self._post(exchange, outgoing)
                try:
                    return await (self._streamed(exchange, response) if stream else self._whole(exchange, response))
                except BaseException:  # whatever it was, cancellation too: nobody else knows this connection
                    response.close()
                    raise
        except TimeoutError as late:
            raise UpstreamSilent(f"no answer within {limit:g} seconds") from late

    async def models(self) -> list[str] | None:
        """The names that the provider lists now; None where it has no list. Raises UpstreamFailure."""
        path = self.dialect.listing()
        if path is None:
            return None
        try:
            async with (
                asyncio.timeout(self.settings.timeouts.first_token),
                self._open.get(self._url(path), headers=self._headers, allow_redirects=False) as response,
            ):
                body = await _read(response, MOST_LISTING_BYTES)
                if response.status != 200:
                    raise self.dialect.refusal(response.status, response.headers, body).hide(self.settings.api_key)
                return self.dialect.models(body)
        except TimeoutError as late:
            raise UpstreamSilent("the model list did not come in time") from late
        except (*LOST, aiohttp.ClientError, ValueError) as lost:
            raise UpstreamSilent(f"the model list could not be had: {reason(lost)}") from lost

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise LookupError(f"provider {self.settings.name} was not entered")
        return self._session

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = URL(self.settings.base_url.rstrip("/") + path, encoded=True).update_query(self.settings.query)
            if len(self._urls) < 1000:
                self._urls[path] = url
        return url

    async def _post(self, exchange: Exchange, outgoing: Outgoing) -> aiohttp.ClientResponse:
        headers = {**self._headers, **outgoing.headers}
        if exchange.via:
            headers["via"] = exchange.via
        url = self._url(outgoing.path)
        for again in (False, True):
            self._fresh.set(False)
            try:
                return await self._open.post(url, data=outgoing.body, headers=headers, allow_redirects=False)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as lost:
                # A pooled socket that the upstream closed just now took the request with it: not one byte was answered, so
                # it is asked once more. On a fresh socket the same error is the upstream's answer.
                if again or self._fresh.get():
                    raise _silent(lost) from lost
                exchange.notes["resent"] = True
            except (*LOST, aiohttp.ClientError, ValueError) as lost:
                raise _silent(lost) from lost
        raise AssertionError("unreachable")

    async def _whole(self, exchange: Exchange, response: aiohttp.ClientResponse) -> Reply:
        body = await _read(response, self.settings.max_answer_bytes if response.status < 300 else MOST_ERROR_BYTES)
        self._check(response, body)
        try:
            event = self.dialect.whole(exchange.prompt, body)
        except UpstreamRefusal as refusal:  # an error that came with status 200
            raise refusal.hide(self.settings.api_key) from None
        return Reply(batches_of([event]), headers=passed_on(response.headers))

    async def _streamed(self, exchange: Exchange, response: aiohttp.ClientResponse) -> Reply:
        if response.status >= 300:
            self._check(response, await _read(response, MOST_ERROR_BYTES))
        stream = Stream(response, self.dialect.decoder(exchange.prompt), self.settings)
        await stream.begin()
        return Reply(stream, headers=passed_on(response.headers), close=stream.close)

    def _check(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        if response.status >= 400:
            raise self.dialect.refusal(response.status, response.headers, body).hide(self.settings.api_key)
        if response.status != 200:
            raise UpstreamBroken(f"the upstream answered with status {response.status}, which is no answer")


class _Protocol(ResponseHandler):
    """aiohttp keeps a parse error in the middle of a body to itself, and whoever reads the body sleeps on: so the body is told too."""

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        body = self._payload
        if body is not None and body.exception() is None and not body.is_eof():
            body.set_exception(aiohttp.ClientPayloadError("the upstream's answer is not HTTP"))


class _Connector(aiohttp.TCPConnector):
    """Says through a context variable whether the last request needed a fresh socket, and connects only to allowed addresses.

    The address is checked at each connect, so a name cannot change its mind later, and an address that is written out is no way round.
    """

    def __init__(self, fresh: ContextVar[bool], settings: Settings) -> None:
        super().__init__(limit=0, limit_per_host=0, keepalive_timeout=POOLED_SECONDS)
        self._fresh_socket = fresh
        self._factory: Any = partial(_Protocol, loop=asyncio.get_running_loop())
        self._local = settings.local

    async def _create_connection(self, *args: Any, **kwargs: Any) -> Any:
        self._fresh_socket.set(True)
        return await super()._create_connection(*args, **kwargs)

    async def _resolve_host(self, *args: Any, **kwargs: Any) -> list[ResolveResult]:
        found = await super()._resolve_host(*args, **kwargs)
        if not self._local and not all(is_public(result["host"]) for result in found):
            raise OSError(None, "base_url leads to an address of this network; set local = true on the provider if that is meant")
        return found


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The decompressed body. Raises UpstreamBroken when it is cut or larger than `most` bytes."""
    parts: list[bytes] = []
    size = 0
    try:
        while chunk := await response.content.readany():
            size += len(chunk)
            if size > most:
                response.close()
                raise UpstreamBroken(f"the upstream's answer is larger than {most} bytes")
            parts.append(chunk)
    except LOST as lost:
        raise UpstreamBroken(f"the upstream's answer was cut: {reason(lost)}") from lost
    return b"".join(parts)


def _headers(settings: Settings) -> dict[str, str]:
    headers = {
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": f"ailb/{__version__}",
        **{name: value.reveal() for name, value in settings.headers.items()},
    }
    if settings.api_key:
        key = settings.api_key.reveal()
        if settings.auth == "bearer":
            headers["authorization"] = f"Bearer {key}"
        elif settings.auth != "none":
            headers[settings.auth] = key
    return headers


def _silent(lost: Exception) -> UpstreamFailure:
    if isinstance(lost, aiohttp.ClientResponseError | aiohttp.ClientPayloadError | ValueError):
        return UpstreamBroken("the upstream's answer is not HTTP")
    return UpstreamSilent(f"no connection: {reason(lost)}")
