"""What ordinary clients need of HTTP (FIDELITY 9), and the two SDKs that most of them use."""

import anthropic
import openai
import pytest
import requests

from tests.e2e.gateway import Gateway
from tests.e2e.raw import request
from tests.e2e.scripts import fails, hello
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked, said

CHAT = "/v1/chat/completions"
HI: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]


def test_a_connection_is_kept_over_fifty_requests(gateway: Gateway, upstream: Upstream) -> None:
    """Whole answers, streams, upstream errors and our own, in turn."""
    good, bad = upstream.on(hello), upstream.on(fails(400))
    with gateway.client() as client:
        for _ in range(10):
            assert client.post(asked(good)).answer().status == 200
            assert said(client.post(asked(good, stream=True)).answer().body) == "hello"
            assert client.post(asked(bad)).answer().status == 400
            assert client.post(asked("nobody-has-this")).answer().status == 404
            assert client.get("/nowhere").answer().status == 404


def test_upstream_connections_are_kept_too(gateway: Gateway, upstream: Upstream) -> None:
    model = upstream.on(hello)
    for number in range(20):
        gateway.chat("a/" + model, stream=number % 2 == 1)
    # Not just one: a stream's connection is free again a moment after the client has its last byte.
    assert len({call.connection for call in upstream.calls(model)}) <= 10


def test_requests_of_one_connection_sent_at_once_are_answered_in_order(gateway: Gateway, upstream: Upstream) -> None:
    model = upstream.on(hello)
    with gateway.client() as client:
        client.send(request("GET", "/healthz") + request("POST", CHAT, asked(model)) + request("GET", "/nowhere"))
        assert [client.answer().status for _ in range(3)] == [200, 200, 404]


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/v1/models", 200), ("/nowhere", 404)])
def test_head_has_no_body(gateway: Gateway, path: str, status: int) -> None:
    with gateway.client() as client:
        client.send(request("HEAD", path))
        assert client.answer("HEAD").status == status
        assert client.get("/healthz").answer().json["status"] == "healthy"


def test_a_body_in_chunks(gateway: Gateway, upstream: Upstream) -> None:
    body = asked(upstream.on(hello))
    with gateway.client() as client:
        client.send(request("POST", CHAT, b"", {"content-length": None, "transfer-encoding": "chunked"}))
        client.send(*[b"1\r\n%c\r\n" % byte for byte in body], b"0\r\n\r\n")
        assert client.answer().status == 200


def test_a_body_byte_by_byte(gateway: Gateway, upstream: Upstream) -> None:
    sent = request("POST", CHAT, asked(upstream.on(hello)))
    with gateway.client() as client:
        assert client.send(*[sent[n : n + 1] for n in range(len(sent))]).answer().status == 200


def test_expect_100_continue(gateway: Gateway, upstream: Upstream) -> None:
    body = asked(upstream.on(hello))
    with gateway.client() as client:
        client.send(request("POST", CHAT, b"", {"content-length": str(len(body)), "expect": "100-continue"}))
        assert client.head().status == 100
        assert client.send(body).answer().status == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("host", ["Host: localhost\r\n", ""])
def test_http_1_0(gateway: Gateway, upstream: Upstream, stream: bool, host: str) -> None:
    body = asked(upstream.on(hello), stream=stream)
    with gateway.client() as client:
        client.send(f"POST {CHAT} HTTP/1.0\r\n{host}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode(), body)
        received = client.everything()
    head, _, content = received.partition(b"\r\n\r\n")
    assert b" 200 " in head
    assert b"transfer-encoding" not in head.lower()
    assert b"hello" in content or said(content) == "hello"


def test_header_names_have_no_case(gateway: Gateway, upstream: Upstream) -> None:
    body = asked(upstream.on(hello))
    with gateway.client() as client:
        client.send(
            f"POST {CHAT} HTTP/1.1\r\nHOST: localhost\r\nCONTENT-type: Application/JSON\r\ncOnTeNt-LeNgTh: {len(body)}\r\n\r\n".encode(),
            body,
        )
        assert client.answer().status == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/healthz", 405), ("DELETE", CHAT, 405)])
def test_even_a_wrong_address_gets_the_one_error_shape(gateway: Gateway, method: str, path: str, status: int) -> None:
    with gateway.client() as client:
        answer = client.send(request(method, path, b"{}")).answer()
    assert (answer.status, answer.json["status_code"], answer.json["detail"]) == (status, status, answer.error["message"])
    assert set(answer.error) == {"message", "type", "param", "code"}
    if status == 405:
        assert answer.header("allow")


def test_a_stream_is_told_not_to_be_held_back(gateway: Gateway, upstream: Upstream) -> None:
    answer = gateway.chat(upstream.on(hello), stream=True)
    assert (answer.header("content-type") or "").startswith("text/event-stream")
    assert "no-cache" in (answer.header("cache-control") or "")
    assert answer.header("content-encoding") is None
    assert len({name.lower() for name, _ in answer.headers}) == len(answer.headers)


def test_requests(gateway: Gateway, upstream: Upstream) -> None:
    with requests.Session() as session:
        answer = session.post(f"http://localhost:{gateway.port}{CHAT}", json={"model": upstream.on(hello), "messages": HI}, timeout=10)
    assert answer.json()["choices"][0]["message"]["content"] == "hello"


def test_the_openai_sdk_raises_its_own_exceptions(gateway: Gateway, upstream: Upstream) -> None:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key="any", max_retries=0) as client:
        assert client.chat.completions.create(model=upstream.on(hello), messages=HI).choices[0].message.content == "hello"
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(model="nobody-has-this", messages=HI)
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model=upstream.on(fails(429)), messages=HI)
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="m-0", messages=[])


def test_the_anthropic_sdk_speaks_to_an_openai_upstream(gateway: Gateway, upstream: Upstream) -> None:
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{gateway.port}", api_key="any", max_retries=0) as client:
        answer = client.messages.create(model=upstream.on(hello), max_tokens=10, messages=[{"role": "user", "content": "hi"}])
        assert [block.text for block in answer.content if block.type == "text"] == ["hello"]
        with pytest.raises(anthropic.NotFoundError):
            client.messages.create(model="nobody-has-this", max_tokens=10, messages=[{"role": "user", "content": "hi"}])
