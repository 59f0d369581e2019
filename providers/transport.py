"""All I/O with upstreams: a request out, a Reply back, and nothing of it believed.

One pool of connections for each key of a provider, so that a hung provider holds no connection that another needs. Four timeouts:
`connect` (a fresh socket), `first_token` (until a stream's first event), `idle` (between two reads of an answer that has begun), `total`.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Self

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from ailb import __version__
from ailb.deadline import Deadline, Rounds
from ailb.dialect import Dialect, Outgoing
from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal, UpstreamSilent
from ailb.exchange import Attempt, Exchange, Reply, batches_of
from ailb.headers import passed_on
from ailb.prompt import Prompt
from ailb.provider import Settings
from ailb.secret import Secret
from providers.transport_client import Answer, Client, Stale
from providers.transport_stream import LOST, Stream, reason

NONE: Mapping[str, str] = MappingProxyType({})
MOST_ERROR_BYTES = 1 << 20
MOST_LISTING_BYTES = 16 << 20

FAILED = (*LOST, aiohttp.ClientError, HttpProcessingError, ValueError)
"""How a request ends that got no answer."""


class HttpProvider:
    """A provider behind an HTTP address. Enter it before it is asked."""

    def __init__(self, dialect: Dialect, settings: Settings) -> None:
        self.dialect = dialect
        self.settings = settings
        self._urls: dict[str, URL] = {}
        self._rounds = Rounds()
        self._clients: list[Client] = []
        """One for each key; one for a provider without any."""

    async def __aenter__(self) -> Self:
        connect, local = self.settings.timeouts.connect, self.settings.local
        keys = self.settings.api_keys or (None,)
        self._clients = [Client(_headers(self.settings, key), connect_seconds=connect, local=local) for key in keys]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        clients, self._clients = self._clients, []
        for client in clients:
            await client.close()

    async def __call__(self, exchange: Exchange, attempt: Attempt) -> Reply:
        """Raises UpstreamSilent (no answer), UpstreamRefusal (an error status), UpstreamBroken (not an answer)."""
        prompt = attempt.prompt
        attempt.drain = self.settings.drain
        outgoing = self.dialect.request(prompt, attempt.target)
        if attempt.headers:
            outgoing = replace(outgoing, headers={**outgoing.headers, **attempt.headers})
        limit = self.settings.timeouts.first_token if prompt.stream else self.settings.timeouts.total
        try:
            with Deadline(limit, self._rounds):
                response = await self._post(self._client(attempt.target.credential), exchange, outgoing)
                try:
                    return await (self._streamed(prompt, response) if prompt.stream else self._whole(exchange, prompt, response))
                except BaseException:  # whatever it was, cancellation too: nobody else knows this connection
                    response.close()
                    raise
        except TimeoutError as late:
            raise UpstreamSilent(f"no answer within {limit:g} seconds") from late

    async def models(self) -> list[str] | None:
        """The names that the provider lists now, for the first key that it lists them for; None where it has no list. Raises
        UpstreamFailure.
        """
        path = self.dialect.listing()
        if path is None:
            return None
        *others, last = self._clients or [self._client(0)]
        for client in others:
            with suppress(UpstreamRefusal):
                return await self._listed(client, path)
        return await self._listed(last, path)

    @property
    def embeds(self) -> bool:
        return self.dialect.embeddings("") is not None

    async def embeddings(self, model: str, body: bytes) -> bytes:
        """The answer to an embeddings request in OpenAI's shape, asked for with the first key. Raises UpstreamFailure."""
        limit = self.settings.timeouts.total
        try:
            async with asyncio.timeout(limit):
                answer = await self._post(self._client(0), None, Outgoing(self.dialect.embeddings(model) or "", body))
                try:
                    read = await _read(answer, self.settings.max_answer_bytes if answer.status < 300 else MOST_ERROR_BYTES)
                finally:
                    answer.close()
        except TimeoutError as late:
            raise UpstreamSilent(f"no answer within {limit:g} seconds") from late
        self._check(answer, read)
        return read

    async def _listed(self, client: Client, path: str) -> list[str]:
        try:
            async with asyncio.timeout(self.settings.timeouts.first_token):
                answer = await client.ask("GET", self._url(path))
                try:
                    body = await _read(answer, MOST_LISTING_BYTES)
                finally:
                    answer.close()
        except TimeoutError as late:
            raise UpstreamSilent("the model list did not come in time") from late
        except (Stale, *FAILED) as lost:
            raise UpstreamSilent(f"the model list could not be had: {reason(lost)}") from lost
        if answer.status != 200:
            raise self.dialect.refusal(answer.status, answer.headers, body).hide(*self.settings.secrets)
        return self.dialect.models(body)

    def _client(self, credential: int) -> Client:
        if not self._clients:
            raise LookupError(f"provider {self.settings.name} was not entered")
        return self._clients[credential]

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = URL(self.settings.base_url.rstrip("/") + path, encoded=True).update_query(self.settings.query)
            if len(self._urls) < 1000:
                self._urls[path] = url
        return url

    async def _post(self, client: Client, exchange: Exchange | None, outgoing: Outgoing) -> Answer:
        url, via = self._url(outgoing.path), exchange.via if exchange else ""
        try:
            try:
                return await client.ask("POST", url, outgoing.body, outgoing.headers, via)
            except Stale:  # asked once more; on a fresh socket the same error would be the upstream's answer
                if exchange:
                    exchange.notes["resent"] = True
                return await client.ask("POST", url, outgoing.body, outgoing.headers, via)
        except Stale as stale:
            raise _silent(stale.lost) from stale
        except FAILED as lost:
            raise _silent(lost) from lost

    async def _whole(self, exchange: Exchange, prompt: Prompt, response: Answer) -> Reply:
        body = await _read(response, self.settings.max_answer_bytes if response.status < 300 else MOST_ERROR_BYTES, exchange)
        self._check(response, body)
        try:
            event = self.dialect.whole(prompt, body)
        except UpstreamRefusal as refusal:  # an error that came with status 200
            raise refusal.hide(*self.settings.secrets) from None
        return Reply(batches_of([event]), headers=passed_on(response.headers, self.settings.secrets))

    async def _streamed(self, prompt: Prompt, response: Answer) -> Reply:
        if response.status >= 300:
            self._check(response, await _read(response, MOST_ERROR_BYTES))
        stream = Stream(response, self.dialect.decoder(prompt), self.settings)
        await stream.begin()
        return Reply(stream, headers=passed_on(response.headers, self.settings.secrets), close=stream.close)

    def _check(self, response: Answer, body: bytes) -> None:
        if response.status >= 400:
            raise self.dialect.refusal(response.status, response.headers, body).hide(*self.settings.secrets)
        if response.status != 200:
            raise UpstreamBroken(f"the upstream answered with status {response.status}, which is no answer")


async def _read(response: Answer, most: int, exchange: Exchange | None = None) -> bytes:
    """The decompressed body. Raises UpstreamBroken when it is cut or larger than `most` bytes."""
    content = response.content
    if content.is_eof() and content.exception() is None and content.total_bytes <= most:
        return content.read_nowait()  # it came together with its head, as short ones do
    parts: list[bytes] = []
    size = 0
    try:
        while chunk := await content.readany():
            size += len(chunk)
            if exchange is not None and exchange.unheard is not None:
                exchange.unheard(len(chunk))
            if size > most:
                response.close()
                raise UpstreamBroken(f"the upstream's answer is larger than {most} bytes")
            parts.append(chunk)
    except LOST as lost:
        raise UpstreamBroken(f"the upstream's answer was cut: {reason(lost)}") from lost
    return b"".join(parts)


def _headers(settings: Settings, secret: Secret | None) -> dict[str, str]:
    headers = {
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": f"ailb/{__version__}",
        **{name: value.reveal() for name, value in settings.headers.items()},
    }
    if secret:
        key = secret.reveal()
        if settings.auth == "bearer":
            headers["authorization"] = f"Bearer {key}"
        elif settings.auth != "none":
            headers[settings.auth] = key
    return headers


def _silent(lost: Exception) -> UpstreamFailure:
    if isinstance(lost, HttpProcessingError | aiohttp.ClientPayloadError | ValueError):
        return UpstreamBroken("the upstream's answer is not HTTP")
    silent = UpstreamSilent(f"no connection: {reason(lost)}")
    silent.sent = not isinstance(lost, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return silent
