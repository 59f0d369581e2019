"""Anthropic's errors, and what stands in their place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.anthropic import Anthropic
from tests.providers.anthropic_wire import NEEDS_WIRE, Json, recordings


def refusals(folder: str = "anthropic") -> list[object]:
    return [param for param in recordings("body", folder) if param.values[0]["response"]["status"] >= 400]


@NEEDS_WIRE
@pytest.mark.parametrize("record", refusals() + refusals("_reported/anthropic"))
def test_a_recorded_error_is_told_as_it_is(record: Json) -> None:
    response = record["response"]
    refusal = Anthropic().refusal(response["status"], response["headers"], json.dumps(response["body"]).encode())
    error = response["body"]["error"]
    assert (response["status"], error["message"], error["type"]) == (refusal.status, refusal.message, refusal.extra["anthropic_type"])
    assert response["body"].get("request_id") == refusal.extra.get("request_id")
    assert response["headers"].get("retry-after") == refusal.headers.get("retry-after")


def body(kind: str, message: str = "m", **more: object) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message, **more}, "request_id": None}).encode()


@pytest.mark.parametrize(
    ("status", "kind", "type", "elsewhere"),
    [
        (400, "invalid_request_error", "invalid_request_error", False),
        (401, "authentication_error", "authentication_error", True),
        (402, "billing_error", "insufficient_quota", True),
        (403, "permission_error", "permission_error", True),
        (404, "not_found_error", "not_found_error", False),
        (413, "request_too_large", "invalid_request_error", False),
        (429, "rate_limit_error", "rate_limit_error", True),
        (500, "api_error", "server_error", True),
        (504, "timeout_error", "server_error", True),
        (529, "overloaded_error", "server_error", True),
    ],
)
def test_types_speak_openai_s_words(status: int, kind: str, type: str, elsewhere: bool) -> None:
    refusal = Anthropic().refusal(status, {}, body(kind))
    assert (status, type, kind, elsewhere) == (refusal.status, refusal.type, refusal.error()["anthropic_type"], refusal.retry_elsewhere)


@pytest.mark.parametrize(
    ("message", "code", "elsewhere"),
    [
        ("prompt is too long: 3 tokens > 2 maximum", "context_length_exceeded", False),
        ("model: x", "model_not_found", False),
        ("Your credit balance is too low to access the Anthropic API.", "insufficient_quota", True),
        ("something else", None, False),
    ],
)
def test_codes(message: str, code: str | None, elsewhere: bool) -> None:
    refusal = Anthropic().refusal(400, {}, body("invalid_request_error", message))
    assert (message, code, elsewhere) == (refusal.message, refusal.code, refusal.retry_elsewhere)


def test_what_else_is_in_the_error_is_kept_and_keys_are_not() -> None:
    headers = {"Retry-After": "3", "Anthropic-RateLimit-Tokens-Limit": "9", "Set-Cookie": "a=b", "CF-Ray": "x"}
    refusal = Anthropic().refusal(401, headers, body("authentication_error", "bad sk-ant-api03-abcdefgh", details={"a": 1}))
    assert refusal.message == "bad [hidden]"
    assert refusal.extra == {"details": {"a": 1}, "anthropic_type": "authentication_error"}
    assert refusal.headers == {"retry-after": "3", "anthropic-ratelimit-tokens-limit": "9"}


@pytest.mark.parametrize(
    "data", [b"", b"<html>gateway</html>", b"[]", b'"x"', b"{}", b'{"error": "x"}', b'{"error": {"type": 7, "message": []}}']
)
def test_what_is_not_anthropic_s_is_not_quoted(data: bytes) -> None:
    refusal = Anthropic().refusal(502, {}, data)
    assert (refusal.status, refusal.message, refusal.type) == (502, "the provider answered with status 502", "server_error")
    assert refusal.extra == {}


def test_a_huge_message_is_cut() -> None:
    assert len(Anthropic().refusal(400, {}, body("invalid_request_error", "x" * 1_000_000)).message) < 20_000


@given(st.integers(300, 999), st.binary())
def test_any_bytes_are_a_refusal(status: int, data: bytes) -> None:
    assert status == Anthropic().refusal(status, {}, data).status
