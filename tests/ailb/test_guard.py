import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from ailb.guard import MOST_HEADER_BYTES, MOST_HEADERS, MOST_PATH_BYTES, Guard

Pairs = list[tuple[bytes, bytes]]


class Inner:
    """The app behind the guard."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)


class Visit:
    """What a request came to: passed, or refused with a status."""

    def __init__(self, inner: Inner, sent: list[Message]) -> None:
        self.passed = bool(inner.scopes)
        self.scope = inner.scopes[0] if inner.scopes else {}
        self.status = sent[0]["status"] if sent else None
        self.headers: Mapping[bytes, bytes] = dict(sent[0]["headers"]) if sent else {}

    @property
    def came_to(self) -> Any:
        return "passed" if self.passed else self.status


async def visit(headers: Pairs | None = None, *, host: bytes | None = b"localhost", options: Any = None, **scope: Any) -> Visit:
    inner, sent = Inner(), []
    guard = Guard(inner, **{"local": True, **(options or {})})
    pairs = [*([(b"host", host)] if host is not None else []), *(headers or [])]
    given = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/v1/x", "raw_path": b"/v1/x", "headers": pairs, **scope}

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await guard(given, receive, send)
    return Visit(inner, sent)


async def test_what_passes_has_its_id_and_headers() -> None:
    passed = await visit([(b"accept", b"a"), (b"accept", b"b"), (b"x-odd", b"\xe9")])
    assert {"host": "localhost", "accept": "b", "x-odd": "\xe9"} == passed.scope["ailb.headers"]
    assert passed.scope["ailb.id"].startswith("req_")
    assert len(passed.scope["ailb.id"]) == 28


async def test_ids_differ() -> None:
    assert len({(await visit()).scope["ailb.id"] for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [(b"abc-1.2_3", True), (b"x" * 128, True), (b"x" * 129, False), (b"", False), (b"a b", False), (b"a\n", False), (b"\xc3\xa9", False)],
)
async def test_the_clients_own_id_is_kept_where_it_is_a_plain_word(given_id: bytes, kept: bool) -> None:
    passed = await visit([(b"x-request-id", given_id)])
    assert kept is (passed.scope["ailb.id"] == given_id.decode("latin-1"))


async def test_a_refusal_is_told_in_the_one_shape_and_the_connection_closed() -> None:
    refused = await visit([(b"x-request-id", b"mine")], host=b"evil.example")
    assert (421, b"close", b"mine") == (refused.status, refused.headers[b"connection"], refused.headers[b"x-request-id"])


LOCAL, KEYED, NAMED = {"local": True}, {"local": False}, {"local": False, "hosts": ["api.example", "LB.example"]}


@pytest.mark.parametrize(
    ("options", "host", "came_to"),
    [
        (LOCAL, b"localhost", "passed"),
        (LOCAL, b"LOCALHOST:8080", "passed"),
        (LOCAL, b"127.0.0.1:8080", "passed"),
        (LOCAL, b"[::1]:8080", "passed"),
        (LOCAL, b"evil.example", 421),
        (LOCAL, b"localhost.evil.example", 421),
        (LOCAL, b"127.0.0.1.evil.example", 421),
        (LOCAL, b"localhost/health?", 400),
        (LOCAL, b"evil@localhost", 400),
        (LOCAL, b"localhost:99999", 400),
        (LOCAL, b"localhost:", 400),
        (LOCAL, b"localhost:80\n", 400),
        (LOCAL, b"", 400),
        (LOCAL, None, 400),
        (LOCAL, b"l\xf6calhost", 400),
        (KEYED, b"anything.example", "passed"),
        (KEYED, b"any thing", 400),
        (NAMED, b"api.example:443", "passed"),
        (NAMED, b"lb.EXAMPLE", "passed"),
        (NAMED, b"localhost", 421),
        ({"local": True, "hosts": ["api.example"]}, b"localhost", "passed"),
        ({"local": True, "hosts": ["api.example"]}, b"api.example", "passed"),
    ],
)
async def test_hosts(options: Any, host: bytes | None, came_to: Any) -> None:
    assert came_to == (await visit(host=host, options=options)).came_to


async def test_http_1_0_needs_no_host() -> None:
    assert (await visit(host=None, http_version="1.0")).passed


@pytest.mark.parametrize(
    ("options", "headers", "came_to"),
    [
        (LOCAL, {}, "passed"),
        (LOCAL, {b"origin": b"http://localhost:3000"}, "passed"),
        (LOCAL, {b"origin": b"http://[::1]:3000"}, "passed"),
        (LOCAL, {b"origin": b"https://evil.example"}, 403),
        (LOCAL, {b"origin": b"http://localhost.evil.example"}, 403),
        (LOCAL, {b"origin": b"null"}, 403),
        (LOCAL, {b"origin": b""}, 403),
        (LOCAL, {b"origin": b"http://["}, 403),
        (LOCAL, {b"sec-fetch-site": b"cross-site"}, 403),
        (LOCAL, {b"sec-fetch-site": b"same-origin"}, "passed"),
        ({"local": True, "origins": ["https://app.example"]}, {b"origin": b"https://app.example"}, "passed"),
        ({"local": True, "origins": ["https://app.example"]}, {b"origin": b"https://app.example.evil"}, 403),
        (KEYED, {b"origin": b"https://evil.example"}, "passed"),
    ],
)
async def test_in_local_mode_no_web_page_may_call(options: Any, headers: dict[bytes, bytes], came_to: Any) -> None:
    assert came_to == (await visit(list(headers.items()), options=options)).came_to


ONCE = [b"host", b"authorization", b"x-user-id", b"x-api-key", b"content-length", b"content-type", b"x-session-id", b"x-preferred-model"]
ONCE += [b"idempotency-key"]


@pytest.mark.parametrize("name", ONCE)
async def test_what_decides_may_stand_once_only(name: bytes) -> None:
    pairs = [(name, b"localhost"), (name, b"localhost")]
    assert (await visit(pairs, host=None if name == b"host" else b"localhost")).status == 400


async def test_a_body_with_two_lengths_is_refused() -> None:
    assert (await visit([(b"transfer-encoding", b"chunked"), (b"content-length", b"5")])).status == 400
    assert (await visit([(b"transfer-encoding", b"chunked")])).passed


@pytest.mark.parametrize(
    ("headers", "came_to"),
    [
        ([(b"a%d" % number, b"") for number in range(MOST_HEADERS - 1)], "passed"),
        ([(b"a%d" % number, b"") for number in range(MOST_HEADERS)], 431),
        ([(b"accept", b"a")] * MOST_HEADERS, 431),
        ([(b"a", b"x" * (MOST_HEADER_BYTES - 14))], "passed"),
        ([(b"a", b"x" * (MOST_HEADER_BYTES - 13))], 431),
    ],
)
async def test_headers_are_bounded(headers: Pairs, came_to: Any) -> None:
    assert came_to == (await visit(headers)).came_to


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "get", "X" * 100_000, ""])
async def test_odd_methods(method: str) -> None:
    assert (await visit(method=method)).status == 405


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods(method: str) -> None:
    assert (await visit(method=method)).passed


@pytest.mark.parametrize(("enabled", "came_to"), [(False, 505), (True, "passed")])
async def test_http2_is_there_when_enabled(enabled: bool, came_to: Any) -> None:
    assert came_to == (await visit(http_version="2", options={"http2": enabled, "local": True})).came_to


ODD_PATHS = [
    b"/v1//chat",
    b"//v1",
    b"/v1/../api",
    b"/v1/./chat",
    b"/..",
    b"/v1/%2e%2e/api",
    b"/v1/%2E./api",
    b"/v1%2fchat",
    b"/v1/models%2fa",
    b"/v1%2Fmodels/a",
    b"/V1/models/a%2fb",
    b"/v1/files/a%2Fb",
    b"/v1/models/%2Fa",
    b"/v1/models/a%2f%2Fb",
    b"/v1/models/a/%2fb",
    b"/v1/models/a%2f/b",
    b"/v1/models/..%2fapi",
    b"/v1/models/a%2f..%2fapi",
    b"/v1/models/a%2F.",
    b"/v1/models/a%2f%2e%2e",
    b"/v1/models/a%2f\\b",
    b"/v1%5Cchat",
    b"/v1\\chat",
    b"/v1/%00",
    b"/v1/\x00",
    b"/v1/ x",
    b"/v1/\xe9",
    b"/v1/\x7f",
    b"http://evil/v1",
    b"v1",
    b"*",
    b"/" + b"x" * MOST_PATH_BYTES,
]


@pytest.mark.parametrize("path", ODD_PATHS)
async def test_paths_with_a_second_spelling(path: bytes) -> None:
    assert (await visit(raw_path=path)).status == 400


@pytest.mark.parametrize(
    "path", [b"/", b"/v1/chat/completions", b"/v1/models/a%20b", b"/v1/models/openai/gpt-4.1", b"/...", b"/.well-known/x"]
)
async def test_plain_paths(path: bytes) -> None:
    assert (await visit(raw_path=path)).passed


@pytest.mark.parametrize("path", [b"/v1/models/openai%2Fgpt-4o", b"/v1/models/a%2fb%2Fc...", b"/v1/models/a/b%2fc", b"/v1/models/a%252Fb"])
async def test_a_models_name_may_have_escaped_slashes(path: bytes) -> None:
    assert (await visit(raw_path=path)).passed


async def test_what_is_not_http_passes_untouched() -> None:
    inner = Inner()

    async def nothing(*_: object) -> Any:
        return {}

    await Guard(inner, local=True)({"type": "lifespan"}, nothing, nothing)
    assert inner.scopes == [{"type": "lifespan"}]


@given(
    st.binary(max_size=40),
    st.lists(
        st.tuples(st.sampled_from([b"origin", b"host", b"content-length", b"x-request-id", b"a"]), st.binary(max_size=30)), max_size=5
    ),
    st.text(max_size=8),
)
def test_no_request_makes_it_fail(path: bytes, headers: Pairs, method: str) -> None:
    seen = asyncio.run(visit(headers, raw_path=path, method=method))
    assert seen.passed or seen.status in (400, 403, 405, 421, 431)
