"""Ollama's errors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.ollama import Ollama
from tests.providers.ollama_wire import NEEDS_WIRE, WIRE, Json, recordings

TABLE: list[tuple[int, Any, Json]] = [
    (404, {"error": "model 'x' not found"}, {"type": "not_found_error", "param": "model", "code": "model_not_found"}),
    (400, {"error": "x does not support tools"}, {"type": "invalid_request_error", "param": "tools", "code": "unsupported_parameter"}),
    (400, {"error": '"x" does not support thinking'}, {"param": "reasoning_effort", "code": "unsupported_parameter"}),
    (400, {"error": '"x" does not support chat'}, {"param": "model", "code": "unsupported_value"}),
    (400, {"error": {"message": "prompt too long; exceeded max context length by 5 tokens"}}, {"code": "context_length_exceeded"}),
    (500, {"error": "model requires more system memory"}, {"type": "server_error", "param": None, "code": None}),
    (
        400,
        {"error": {"message": "m", "type": "api_error", "param": "p", "code": 7, "x": 1}},
        {"type": "api_error", "param": "p", "code": 7, "x": 1},
    ),
]


@pytest.mark.parametrize(("status", "body", "expected"), TABLE)
def test_an_error_is_told_in_openais_words(status: int, body: Json, expected: Json) -> None:
    refusal = Ollama().refusal(status, {}, json.dumps(body).encode())
    message = body["error"] if isinstance(body["error"], str) else body["error"]["message"]
    error = refusal.error()
    assert {"message": message, **expected} == {name: error[name] for name in ("message", *expected)}
    assert status == refusal.status


@pytest.mark.parametrize(
    ("status", "message", "elsewhere"),
    [
        (404, "model 'x' not found", True),
        (400, "x does not support tools", True),
        (400, "invalid format", False),
        (400, "exceeded max context length", False),
        (503, "server busy", True),
        (500, "not enough memory", True),
    ],
)
def test_another_target_is_asked_where_it_may_do_better(status: int, message: str, elsewhere: bool) -> None:
    refusal = Ollama().refusal(status, {}, json.dumps({"error": message}).encode())
    assert elsewhere == refusal.retry_elsewhere


@pytest.mark.parametrize(
    "body", [b"", b"<html>secret</html>", b"[]", b"{}", b'{"error": null}', b'{"error": {}}', b'{"error": ["x"]}', b"\xff"]
)
def test_what_is_not_ollamas_is_not_quoted(body: bytes) -> None:
    assert "the provider answered with status 502" == Ollama().refusal(502, {}, body).message


def test_keys_are_hidden_and_only_waiting_times_go_on() -> None:
    body = b'{"error": "bad key sk-abcdefghijklmnop given"}'
    refusal = Ollama().refusal(429, {"Retry-After": "3", "Server": "x", "Set-Cookie": "a=b"}, body)
    assert ("bad key [hidden] given", {"retry-after": "3"}) == (refusal.message, refusal.headers)


@given(status=st.integers(400, 599), body=st.binary())
def test_any_bytes_are_a_refusal(status: int, body: bytes) -> None:
    assert status == Ollama().refusal(status, {}, body).status


@given(
    status=st.integers(400, 599),
    error=st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)),
)
def test_any_json_is_a_refusal(status: int, error: Any) -> None:
    refusal = Ollama().refusal(status, {}, json.dumps({"error": error}).encode())
    assert status == refusal.status
    assert refusal.message


@NEEDS_WIRE
@pytest.mark.parametrize("record", [*recordings("body", status=404), *recordings("body", "_reported/ollama", status=None)])
def test_a_recorded_error_keeps_status_and_message(record: Json) -> None:
    response = record["response"]
    refusal = Ollama().refusal(response["status"], response["headers"], json.dumps(response["body"]).encode())
    assert (response["status"], response["body"]["error"]) == (refusal.status, refusal.message)


@NEEDS_WIRE
def test_openais_envelope_is_read_too() -> None:
    body = json.loads((WIRE / "_reported/ollama/400-no-tools-v1.json").read_text())["response"]["body"]
    refusal = Ollama().refusal(400, {}, json.dumps(body).encode())
    assert {**body["error"], "param": "tools", "code": "unsupported_parameter"} == refusal.error()
