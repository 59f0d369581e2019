"""Bodies through the wire (FAULTS G2-G4, G10, I1, J3): an error of the one shape, or the request as it was checked."""

import json
from typing import Any

import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.raw import Answer
from tests.e2e.scripts import fails, hello
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked


def post(gateway: Gateway, body: bytes) -> Answer:
    with gateway.client() as client:
        return client.post(body).answer()


GOOD = b'{"model": "m-0", "messages": [{"role": "user", "content": "hi"}]'
BAD: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"hello",
    "cut": GOOD,
    "trailing data": GOOD + b"} {}",
    "a list": b"[]",
    "a string": b'"x"',
    "NaN": GOOD + b', "temperature": NaN}',
    "Infinity": GOOD + b', "temperature": -Infinity}',
    "a BOM": b"\xef\xbb\xbf" + GOOD + b"}",
    "UTF-16": (GOOD + b"}").decode().encode("utf-16"),
    "bad UTF-8": GOOD.replace(b"hi", b"\xff") + b"}",
    "a lone surrogate": GOOD.replace(b"hi", b"\\ud800") + b"}",
    "deep": GOOD + b', "x": ' + b"[" * 60_000 + b"]" * 60_000 + b"}",
    "5,000 digits": GOOD + b', "n": ' + b"9" * 5000 + b"}",
    "two models": GOOD + b', "model": "m-1"}',
    "no messages": b'{"model": "m-0"}',
    "messages of text": b'{"model": "m-0", "messages": "hi"}',
    "a model of control characters": GOOD.replace(b"m-0", b"m\\r\\n-0") + b"}",
    "an endless model": GOOD.replace(b"m-0", b"m" * 10_000) + b"}",
    **{
        f"max_tokens {value}": GOOD + f', "max_tokens": {value}}}'.encode()
        for value in ["-1", "0", "1.5", '"5"', "true", "1e400", str(2**63)]
    },
    **{f"n {value}": GOOD + f', "n": {value}}}'.encode() for value in ["-1", "0", "1000000"]},
    "stream as text": GOOD + b', "stream": "true"}',
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_bad_body_is_a_400_of_the_one_shape(gateway: Gateway, body: bytes) -> None:
    answer = post(gateway, body)
    assert answer.status == 400
    assert answer.json == {
        "detail": answer.error["message"],
        "type": "invalid_request_error",
        "status_code": 400,
        "error": {"message": answer.error["message"], "type": "invalid_request_error", "param": answer.error["param"], "code": None},
    }
    assert answer.header("x-request-id")


def test_what_was_checked_is_what_is_sent(gateway: Gateway, upstream: Upstream) -> None:
    """Unknown, null, false and zero fields, and numbers as they were written."""
    model = upstream.on(hello)
    extra = b', "seed": 0, "store": false, "user": null, "x_new": {"deep": [1.10, 12345678901234567890123]}, "temperature": 1.0}'
    assert post(gateway, asked(f"a/{model}")[:-1] + extra).status == 200
    call = upstream.call(model)
    assert call.json == {"model": model, "stream": False, "messages": [{"role": "user", "content": "hi"}], **json.loads(b"{" + extra[2:])}


ELSEWHERE = "http://127.0.0.1:{}/sink"
FIELDS = ["api_base", "base_url", "url", "custom_host", "api_key", "provider_url"]
HEADERS = ["x-portkey-custom-host", "x-base-url", "x-forwarded-host", "helicone-target-url", "x-ailb-base-url"]


def test_a_request_cannot_say_where_it_goes(gateway: Gateway, upstream: Upstream) -> None:
    model = upstream.on(hello)
    sink = ELSEWHERE.format(upstream.port)
    fields: dict[str, Any] = dict.fromkeys(FIELDS, sink)
    answer = gateway.chat("a/" + model, headers=dict.fromkeys(HEADERS, sink), extra_body=fields, **fields)
    assert answer.status in (200, 400)
    assert {call.path for call in upstream.calls(model)} <= {"/a/v1/chat/completions"}


HOSTILE = ["a\nb", "a\r\nlevel=info forged", "\x1b[31mred", "%s%n{0}{x.__class__}", '"}\n{"event":"forged"}', "\u2028\u202e", "🙂" * 60]


@pytest.mark.parametrize("text", HOSTILE)
def test_nobody_writes_lines_into_the_log(gateway: Gateway, upstream: Upstream, text: str) -> None:
    """In the model's name, the session, another field, an unknown model and an upstream's error."""
    model = upstream.on(fails(400, {"error": {"message": text, "type": text, "code": text}}))
    mine = {"x-request-id": f"log-{model}"}
    start = len(gateway.lines)
    asked_for: list[dict[str, str]] = [
        {"model": text},
        {"model": f"q-0{text}"},
        {"model": model, "session_id": text},
        {"model": model, "user": text},
    ]
    for fields in asked_for:
        body = json.dumps({"messages": [{"role": "user", "content": text}], **fields}).encode()
        with gateway.client() as client:
            assert 400 <= client.post(body, headers=mine).answer().status < 500
    entries = gateway.entries(f"log-{model}", 4)
    assert {entry["event"] for entry in entries} <= {"request", "refused"}
    assert [line for line in gateway.lines[start:] if not line.startswith("{") or "\x1b" in line] == []
    assert "forged" not in {entry["event"] for entry in gateway.log()}


def test_every_line_of_the_log_is_json(gateway: Gateway) -> None:
    """Also what the HTTP server has to say about bytes that are not HTTP."""
    with gateway.client() as client:
        client.send(b"nonsense\r\n\r\n").everything()
    gateway.chat("nobody-has-this", headers={"x-request-id": "behind-the-nonsense"})
    gateway.line_with("behind-the-nonsense")
    assert [line for line in gateway.lines if not line.startswith("{")] == []


def test_prompts_and_answers_are_not_in_the_log(gateway: Gateway, upstream: Upstream) -> None:
    canary = "prompt-canary-7213"
    quoting = {"error": {"message": f"flagged: {canary}", "type": "invalid_request_error"}}
    messages = [{"role": "user", "content": canary}]
    start = len(gateway.lines)
    for script in (hello, fails(500), fails(400, quoting)):
        for stream in (False, True):
            gateway.chat("a/" + upstream.on(script), stream=stream, messages=messages)
    for broken in (canary.encode(), b'{"model": "m-0", "messages": "%s"}' % canary.encode()):
        assert post(gateway, broken).status == 400
    last = gateway.chat("a/" + upstream.on(hello), headers={"x-request-id": "after-the-canaries"})
    assert last.status == 200
    gateway.line_with("after-the-canaries", since=start)
    assert [line for line in gateway.lines[start:] if canary in line] == []
