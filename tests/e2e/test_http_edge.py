"""Requests that no honest client sends, and those that only slow ones send (FAULTS F1-F8, F11-F14, H7)."""

import gzip
import zlib
from collections.abc import Mapping
from time import monotonic

import anthropic
import openai
import pytest
from h2.connection import H2Connection

from tests.e2e.gateway import Gateway
from tests.e2e.raw import request
from tests.e2e.scripts import hello
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked

CHAT = "/v1/chat/completions"
SECOND = request("GET", "/healthz")


def begin(*lines: str) -> bytes:
    return "\r\n".join([f"POST {CHAT} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines, "", ""]).encode()


def in_chunks(body: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n0\r\n\r\n" % (len(body), extension, body)


SMUGGLED: dict[str, bytes] = {
    "length and chunks": begin("Content-Length: 4", "Transfer-Encoding: chunked") + in_chunks(b"{}") + SECOND,
    "chunks and length": begin("Transfer-Encoding: chunked", "Content-Length: 6") + b"0\r\n\r\nX" + SECOND,
    "two lengths": begin("Content-Length: 2", "Content-Length: 7") + b"{}" + SECOND,
    "a list of lengths": begin("Content-Length: 2, 7") + b"{}" + SECOND,
    "a signed length": begin("Content-Length: +2") + b"{}" + SECOND,
    "an unknown coding": begin("Transfer-Encoding: xchunked") + in_chunks(b"{}") + SECOND,
    "two codings": begin("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + in_chunks(b"{}") + SECOND,
    "a space before the colon": begin("Transfer-Encoding : chunked") + in_chunks(b"{}") + SECOND,
    "NUL in a header": begin("X-A: a\0b", "Content-Length: 2") + b"{}" + SECOND,
    "no colon": begin("nonsense", "Content-Length: 2") + b"{}" + SECOND,
    "two Hosts": begin("Host: localhost", "Content-Length: 2") + b"{}" + SECOND,
    "a bad chunk size": begin("Transfer-Encoding: chunked") + b"-2\r\n{}\r\n0\r\n\r\n" + SECOND,
}


@pytest.mark.parametrize("sent", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_what_two_servers_could_read_differently_gets_one_answer_and_a_close(gateway: Gateway, sent: bytes) -> None:
    with gateway.client() as client:
        received = client.send(sent).everything()
    assert received.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501 ")), received
    assert received.count(b"HTTP/1.1 ") == 1
    assert b'"healthy"' not in received


ODD_BUT_PLAIN: dict[str, bytes] = {
    "a chunk extension": b";name=value",
    "a long chunk extension": b";" + b"x" * 1000,
}


@pytest.mark.parametrize("extension", ODD_BUT_PLAIN.values(), ids=ODD_BUT_PLAIN.keys())
def test_chunk_extensions_mean_nothing(gateway: Gateway, upstream: Upstream, extension: bytes) -> None:
    model = upstream.on(hello)
    with gateway.client() as client:
        assert client.send(begin("Transfer-Encoding: chunked"), in_chunks(asked(model), extension)).answer().status == 200
    assert upstream.call(model).json["messages"] == [{"role": "user", "content": "hi"}]


def test_http2_is_refused(gateway: Gateway) -> None:
    """Hypercorn upgrades whatever it is told; then the refusal speaks HTTP/2. Uvicorn ignores the wish, as HTTP/1.1 allows."""
    settings = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQAAP__"}
    with gateway.client() as client:
        upgraded = client.get("/healthz", settings).head().status == 101
        assert not upgraded or b"HTTP/2 is not enabled" in client.until_any(b"HTTP/2 is not enabled")
    h2 = H2Connection()
    h2.initiate_connection()
    h2.send_headers(1, [(":method", "GET"), (":path", "/healthz"), (":scheme", "http"), (":authority", "localhost")], end_stream=True)
    with gateway.client() as client:
        received = client.send(h2.data_to_send()).until_any(b"HTTP/2 is not enabled", b"HTTP/1.1 4")
    assert b'"healthy"' not in received


HOSTS = {
    "evil.example": 421,
    "localhost.evil.example": 421,
    "127.0.0.1.": 421,
    "x/health?": 400,
    "": 400,
    "localhost:99999": 400,
    "a b": 400,
}


@pytest.mark.parametrize(("host", "status"), HOSTS.items())
@pytest.mark.parametrize("path", ["/v1/models", CHAT, "/metrics"])
def test_only_this_machines_names_are_hosts(gateway: Gateway, host: str, status: int, path: str) -> None:
    assert gateway.get(path, {"host": host}).status == status


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080"])
def test_this_machines_names_are_served(gateway: Gateway, host: str) -> None:
    assert gateway.get("/healthz", {"host": host}).status == 200


BROWSERS: list[Mapping[str, str | None]] = [
    {"origin": "https://evil.example"},
    {"origin": "http://localhost.evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"origin": "https://evil.example", "content-type": "text/plain"},
]


@pytest.mark.parametrize("headers", BROWSERS)
def test_a_foreign_page_may_not_call(gateway: Gateway, upstream: Upstream, headers: Mapping[str, str | None]) -> None:
    model = upstream.on(hello)
    with gateway.client() as client:
        answer = client.post(asked(model), headers=headers).answer()
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.names
    assert upstream.calls(model) == []


def test_a_foreign_pages_preflight_is_not_granted(gateway: Gateway) -> None:
    with gateway.client() as client:
        answer = client.send(
            request("OPTIONS", CHAT, None, {"origin": "https://evil.example", "access-control-request-method": "POST"})
        ).answer()
    assert answer.status >= 400
    assert "access-control-allow-origin" not in answer.names


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "X" * 100_000])
def test_odd_methods_are_refused(gateway: Gateway, method: str) -> None:
    with gateway.client() as client:
        received = client.send(request(method, "/healthz")).everything()
    assert received[:13] in (b"HTTP/1.1 405 ", b"HTTP/1.1 400 ", b"HTTP/1.1 431 ", b"HTTP/1.1 501 ")


PATHS = [
    "/v1/../healthz",
    "/v1/%2e%2e/healthz",
    "/v1/%2E%2E%2Fhealthz",
    "//healthz",
    "/v1//models",
    "/./healthz",
    "/healthz%00",
    "/healthz\\..",
    "/%5c..%5chealthz",
    "/v1/files/..%2f..%2fapi%2fkeys",
    "/v1/models/..%2f..%2fhealthz",
    "/v1/models/%2f..%2fhealthz",
    "/v1%2fmodels/m-a",
    "http://evil.example/healthz",
    "/\xff",
    "*",
    "/" + "x" * 60_000,
]


@pytest.mark.parametrize("path", PATHS, ids=[path[:30] for path in PATHS])
def test_a_path_has_one_spelling(gateway: Gateway, engine: str, path: str) -> None:
    if path.startswith("http:") and engine == "uvicorn":
        pytest.skip("httptools hands on the path of an absolute address only, so the app cannot see it")
    with gateway.client() as client:
        received = client.send(request("GET", path)).everything()
    assert received[9:12] in (b"400", b"404", b"414", b"431"), received[:200]
    assert b'"healthy"' not in received


def test_the_sdks_find_a_model_whose_name_has_a_slash(gateway: Gateway) -> None:
    url, name = f"http://127.0.0.1:{gateway.port}", "m-openai/gpt-4o"
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
        assert name == client.models.retrieve(name).id
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as other:
        assert name == other.models.retrieve(name).id


BIG_HEADERS: dict[str, list[str]] = {
    "64 KB": ["x-big: " + "x" * 65_536],
    "many": [f"x-{n}: 1" for n in range(5000)],
    "40 KB in all": [f"x-{n}: {'x' * 2000}" for n in range(20)],
}


@pytest.mark.parametrize("lines", BIG_HEADERS.values(), ids=BIG_HEADERS.keys())
def test_headers_have_a_limit(gateway: Gateway, lines: list[str]) -> None:
    with gateway.client() as client:
        received = client.send(begin("Content-Length: 2", *lines), b"{}").everything()
    assert received[:13] in (b"HTTP/1.1 431 ", b"HTTP/1.1 400 "), received[:200]


def test_slow_headers_are_cut(gateway: Gateway) -> None:
    start = monotonic()
    with gateway.client(seconds=40) as client:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: loc").everything()
    assert monotonic() - start < 30.0


def test_a_slow_body_is_a_408(gateway: Gateway) -> None:
    """`body_seconds` is 2."""
    with gateway.client() as client:
        answer = client.send(begin("Content-Length: 100"), b"{").answer()
        assert answer.status == 408
        assert client.ended()


BIG: dict[str, bytes] = {
    "declared": begin("Content-Length: 10000000000") + b"x" * 100_000,
    "just over": begin("Content-Length: 1000001") + b"x" * 1_000_001,
    "chunked": begin("Transfer-Encoding: chunked") + (b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 17,
}


@pytest.mark.parametrize("sent", BIG.values(), ids=BIG.keys())
def test_a_body_over_the_limit_is_a_413(gateway: Gateway, sent: bytes) -> None:
    """`max_body_bytes` is 1,000,000."""
    memory = gateway.rss
    with gateway.client() as client:
        answer = client.send(sent).answer()
        assert answer.status == 413
        assert "1000000" in answer.json["detail"]
        assert client.ended()
    assert gateway.rss - memory < 20_000_000


def test_a_body_at_the_limit_is_fine(gateway: Gateway, upstream: Upstream) -> None:
    body = asked(upstream.on(hello))
    with gateway.client() as client:
        assert client.post(body + b" " * (1_000_000 - len(body))).answer().status == 200


@pytest.mark.parametrize(
    ("coding", "body"),
    [("deflate", zlib.compress(b"{}")), ("br", b"x"), ("zstd", b"x"), ("gzip, gzip", b"x")],
    ids=["deflate", "br", "zstd", "nested"],
)
def test_a_compressed_body_is_a_415(gateway: Gateway, coding: str, body: bytes) -> None:
    with gateway.client() as client:
        assert client.post(body, headers={"content-encoding": coding}).answer().status == 415


def test_a_gzip_bomb_is_a_415(gateway: Gateway) -> None:
    with gateway.client() as client:
        bomb = gzip.compress(b" " * 100_000_000, 1)[:900_000]
        assert client.post(bomb, headers={"content-encoding": "gzip"}).answer().status == 415
