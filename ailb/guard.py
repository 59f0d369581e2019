"""What is wrong with an HTTP request before anybody looks at what it asks: smuggling, odd paths, foreign hosts, browsers.

The outermost ASGI middleware. It gives each request its id.
"""

import re
from collections.abc import Awaitable, Collection, Mapping
from random import Random
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from ailb.errors import BadRequest, Forbidden, HeadersTooLarge, HttpVersion, MethodNotAllowed, Misdirected, Refusal
from ailb.outlet import refuse

MOST_HEADERS: Final = 100
MOST_HEADER_BYTES: Final = 32 * 1024
MOST_PATH_BYTES: Final = 4096

_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}\Z")
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?\Z")
_ODD_PATH = re.compile(rb"//|\\|/\.{1,2}(?:/|\Z)|%(?:00|2[eEfF]|5[cC])|[\x00-\x20\x7f-\xff]")
_NAMED_PATH: Final = b"/v1/models/"
_ESCAPED_SLASH = re.compile(rb"%2[fF]")
_ONCE = (
    *(b"host", b"content-length", b"content-type"),
    *(b"authorization", b"x-user-id", b"x-api-key", b"x-session-id", b"x-preferred-model", b"idempotency-key"),
)
_NAMES: Final[Mapping[bytes, str]] = {
    name.encode(): name
    for name in (
        *("accept", "accept-encoding", "accept-language", "anthropic-version", "authorization", "connection", "content-length"),
        *("content-type", "host", "traceparent", "transfer-encoding", "user-agent", "via", "x-api-key", "x-forwarded-for"),
        *("x-forwarded-proto", "x-real-ip", "x-stainless-arch", "x-stainless-async", "x-stainless-lang", "x-stainless-os"),
        *("x-stainless-package-version", "x-stainless-retry-count", "x-stainless-runtime", "x-stainless-runtime-version"),
    )
}
"""The usual ones, made once: an open stream holds its request's headers."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Guard:
    """`local`: bound to loopback with no admin key, so only this machine's own names are hosts and no web page may call.

    `hosts`: the names that are served; empty means any (not in local mode). `origins`: the web pages that may call.
    """

    def __init__(
        self, app: ASGIApp, *, local: bool, hosts: Collection[str] = (), origins: Collection[str] = (), http2: bool = False
    ) -> None:
        self._app = app
        self._local = local
        self._hosts = frozenset(host.lower() for host in hosts) | (_LOOPBACK if local else frozenset())
        self._origins = frozenset(origins)
        self._http2 = http2
        self._last: str | None = None
        """The last good host: nearly all are the same."""
        self._dice = Random()  # noqa: S311 - an id is not a secret

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Without a coroutine of its own, which every open stream would hold."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        id = scope["ailb.id"] = _given_id(scope["headers"]) or f"req_{self._dice.getrandbits(96):024x}"
        try:
            headers = self._check(scope)
        except Refusal as refusal:
            return refuse(send, refusal, id, close=True)
        scope["ailb.headers"] = headers
        return self._app(scope, receive, send)

    def _check(self, scope: Scope) -> Mapping[str, str]:
        """The headers by lower-case name; of a name that stands several times, the last one."""
        if scope["http_version"] == "2" and not self._http2:
            raise HttpVersion("HTTP/2 is not enabled here (server.http2)")
        if scope["method"] not in _METHODS:
            raise MethodNotAllowed(f"method not allowed: {scope['method'][:20]}")
        headers = _headers(scope["headers"])
        _check_path(scope.get("raw_path") or b"/")
        if "transfer-encoding" in headers and "content-length" in headers:
            raise BadRequest("both Content-Length and Transfer-Encoding are set")
        self._check_host(headers.get("host", ""), scope["http_version"])
        self._check_origin(headers)
        return headers

    def _check_host(self, host: str, version: str) -> None:
        if host == self._last or (not host and version == "1.0"):
            return
        parts = _HOST.match(host)
        name, port = parts.groups() if parts else ("", None)
        if not name or (port and int(port) > 65535):
            raise BadRequest("the Host header is missing or malformed")
        if self._hosts and name.lower() not in self._hosts:
            raise Misdirected("this gateway does not serve that Host (server.allowed_hosts)")
        self._last = host

    def _check_origin(self, headers: Mapping[str, str]) -> None:
        """In local mode whoever reaches the port is trusted, and a web page in the owner's browser reaches it too."""
        if not self._local:
            return
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins and _host_of(origin) not in _bare(_LOOPBACK):
            raise Forbidden("requests from that Origin are not allowed (server.cors_origins)")
        if origin is None and headers.get("sec-fetch-site") == "cross-site":
            raise Forbidden("requests from other sites are not allowed")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _bare(hosts: Collection[str]) -> set[str]:
    return {host.strip("[]") for host in hosts}


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    if len(raw) > MOST_HEADERS:
        raise HeadersTooLarge(f"more than {MOST_HEADERS} headers")
    headers = {_NAMES.get(name) or name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    if len(headers) != len(raw):
        names = [name for name, _ in raw]
        for once in _ONCE:
            if names.count(once) > 1:
                raise BadRequest(f"the header {once.decode()} stands twice")
    if sum([len(name) + len(value) for name, value in raw]) > MOST_HEADER_BYTES:
        raise HeadersTooLarge(f"the headers are larger than {MOST_HEADER_BYTES} bytes")
    return headers


def _check_path(path: bytes) -> None:
    """One spelling of a path only, so that whoever stands in front of the gateway decides about the same one.

    A model's name may have slashes, which OpenAI's and Anthropic's clients escape: below /v1/models/ such a one is a slash.
    """
    if len(path) > MOST_PATH_BYTES:
        raise BadRequest(f"the path is longer than {MOST_PATH_BYTES} bytes")
    if path.startswith(_NAMED_PATH):
        path = _ESCAPED_SLASH.sub(b"/", path)
    if not path.startswith(b"/") or _ODD_PATH.search(path):
        raise BadRequest("the path has dot segments, double slashes or escapes that could hide some")


def _given_id(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The client's own `x-request-id` where it is a plain word."""
    for name, value in headers:
        if name == b"x-request-id" and _ID.match(value):
            return value.decode()
    return None
