"""Headers, both ways (FAULTS I6, I8, I9) and secrets (J1, J2)."""

import pytest

from tests.e2e.gateway import KEY, Gateway
from tests.e2e.raw import Answer, request
from tests.e2e.scripts import fails, hello, sends
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked

OURS = {"host", "accept", "accept-encoding", "authorization", "content-type", "content-length", "user-agent", "via"}
PRIVATE: dict[str, str | None] = {
    "Cookie": "session=client-canary",
    "Authorization": "Bearer client-canary",
    "X-Api-Key": "client-canary",
    "Api-Key": "client-canary",
    "X-Goog-Api-Key": "client-canary",
    "Proxy-Authorization": "Basic client-canary",
    "Connection": "keep-alive, X-Secret",
    "X-Secret": "client-canary",
    "Te": "trailers",
    "Keep-Alive": "timeout=client-canary",
    "X-Forwarded-For": "10.9.8.7",
    "X-Real-Ip": "10.9.8.7",
    "Forwarded": "for=10.9.8.7",
    "X-User-Id": "client-canary",
    "Referer": "http://client-canary/",
    "X-Custom": "client-canary",
}


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_sees_only_what_it_must(gateway: Gateway, upstream: Upstream, stream: bool) -> None:
    model = upstream.on(hello)
    headers = {name: value for name, value in PRIVATE.items() if name not in ("Authorization", "X-Api-Key")}
    answer = gateway.chat("a/" + model, stream=stream, headers=headers)
    assert answer.status == 200
    call = upstream.call(model)
    assert {name.lower() for name, _ in call.headers} <= OURS
    assert "canary" not in str(call.headers).replace(KEY.format("a"), "")
    assert call.header("authorization") == "Bearer " + KEY.format("a")
    assert call.header("host") == f"127.0.0.1:{upstream.port}"


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key"])
def test_a_clients_credentials_stay_here(gateway: Gateway, upstream: Upstream, name: str) -> None:
    """In local mode a key is not needed; one that is sent is not passed on, whatever becomes of the request."""
    model = upstream.on(hello)
    gateway.chat("a/" + model, headers={name: PRIVATE[name]})
    assert [call for call in upstream.calls(model) if "client-canary" in str(call.headers)] == []


ANSWERS: dict[str, bytes] = {
    "a model list": request("GET", "/v1/models"),
    "an unknown path": request("GET", "/nowhere"),
    "a wrong method": request("GET", "/v1/chat/completions"),
    "an unknown model": request("POST", "/v1/chat/completions", asked("nobody-has-this")),
    "a bad body": request("POST", "/v1/chat/completions", b"{"),
    "a foreign host": request("GET", "/v1/models", headers={"host": "evil.example"}),
    "an odd path": request("GET", "/v1//models"),
    "a compressed body": request("POST", "/v1/chat/completions", b"x", {"content-encoding": "gzip"}),
    "anthropic's errors": request("POST", "/v1/messages", b"{"),
    "the metrics": request("GET", "/metrics"),
}


def check_common(answer: Answer) -> None:
    assert answer.header("x-request-id")
    assert "no-store" in (answer.header("cache-control") or "")
    assert "authorization" in (answer.header("vary") or "").lower()


@pytest.mark.parametrize("sent", ANSWERS.values(), ids=ANSWERS.keys())
def test_every_answer_has_an_id_and_is_nobodys_to_store(gateway: Gateway, sent: bytes) -> None:
    with gateway.client() as client:
        check_common(client.send(sent).answer())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", [hello, fails(500), fails(400), sends()], ids=["good", "500", "400", "closed"])
def test_so_has_every_answer_of_an_upstream(gateway: Gateway, upstream: Upstream, script: object, stream: bool) -> None:
    assert callable(script)
    answer = gateway.chat("a/" + upstream.on(script), stream=stream)
    check_common(answer)
    assert answer.header("x-ailb-attempts") == "1"
    assert answer.header("x-ailb-provider") == "a"
    assert answer.header("x-ailb-latency-ms") is not None


def test_a_clients_request_id_is_kept_where_it_is_a_plain_word(gateway: Gateway, upstream: Upstream) -> None:
    model = upstream.on(hello)
    assert gateway.chat(model, headers={"X-Request-ID": "mine-1.2_3"}).header("x-request-id") == "mine-1.2_3"
    assert "mine-1.2_3" in gateway.line_with("mine-1.2_3")
    made = [gateway.chat(model, headers={"x-request-id": odd}).header("x-request-id") for odd in (None, "", "a b", "x" * 200, "é")]
    assert len(set(made)) == 5
    assert all(id and id.startswith("req_") for id in made)


def test_a_gateway_that_asks_itself_is_stopped(gateway: Gateway) -> None:
    start = len(gateway.lines)
    answer = gateway.chat("loop/l-1", headers={"x-request-id": "round-and-round"})
    assert answer.status in (502, 503, 508)
    gateway.line_with("round-and-round", since=start)
    asked = [entry.get("asked") for entry in gateway.log(start) if entry["event"] == "request"]
    assert asked.count("loop/l-1") == 1
    assert asked.count("l-1") <= 1


ECHOES = {
    "in a message": b'{"error": {"message": "Incorrect API key provided: %s. See http://10.1.2.3/admin"}}',
    "in a code": b'{"error": {"message": "no", "code": "%s", "param": "%s", "type": "%s"}}',
    "in other members": b'{"error": {"message": "no", "metadata": {"raw": "Bearer %s"}, "key": "%s"}}',
    "in text": b"denied for %s",
    "in HTML": b"<html>%s</html>",
}


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
@pytest.mark.parametrize("body", ECHOES.values(), ids=ECHOES.keys())
def test_a_providers_key_does_not_come_back(gateway: Gateway, upstream: Upstream, body: bytes, status: int) -> None:
    start = len(gateway.lines)
    key = KEY.format("a").encode()
    model = upstream.on(fails(status, body.replace(b"%s", key), x_ratelimit_key=key.decode()))
    for stream in (False, True):
        answer = gateway.chat("a/" + model, stream=stream)
        assert answer.status >= 400
        assert key not in answer.body
        assert key.decode() not in str(answer.headers)
    gateway.line_with(model, since=start)


def test_pages_about_the_gateway_show_no_key(gateway: Gateway) -> None:
    pages = [gateway.get(path) for path in ("/metrics", "/healthz", "/readyz", "/v1/models", "/api/routing/stats", "/")]
    assert [page.status for page in pages if page.status >= 500] == []
    assert [page for page in pages if b"sk-canary" in page.body or b"127.0.0.1" in page.body] == []
