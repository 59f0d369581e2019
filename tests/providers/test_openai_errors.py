"""The shapes that errors have, recorded and reported, and bytes that are none."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.errors import MOST_MESSAGE, UpstreamBroken, UpstreamRefusal
from providers.openai_errors import MOST_EXTRA, failure, refusal, refused
from tests.providers.openai_wire import NEEDS_WIRE, Json, record, recordings

KEY = "sk-proj-abcdefghijklmnop"


def shape(made: UpstreamRefusal) -> tuple[int, str, str, str | None, Any]:
    return made.status, made.message, made.type, made.param, made.code


MISTRAL = {"object": "error", "message": "m", "type": "invalid_model", "param": None, "code": "1500", "raw_status_code": 400}
COMPLAINTS = [{"loc": ["body", "n"], "msg": "too big"}, {"msg": "odd"}]
ODD = {"message": {"odd": 1}, "type": 7, "param": [], "code": True}
BAD, LIMIT = "invalid_request_error", "rate_limit_error"

SHAPES: list[tuple[Any, int, tuple[str, str, str | None, Any], Json]] = [
    ({"error": {"message": "m", "type": "t", "param": "p", "code": "c"}}, 400, ("m", "t", "p", "c"), {}),
    ({"error": {"message": "m", "type": "tokens", "code": "limit"}}, 429, ("m", "tokens", None, "limit"), {}),
    ({"error": {"message": "m", "code": 429, "metadata": [1]}, "user_id": "u"}, 429, ("m", LIMIT, None, 429), {"metadata": [1]}),
    ({"error": {"message": "m", "failed_generation": "<f>"}}, 400, ("m", BAD, None, None), {"failed_generation": "<f>"}),
    ({"error": "words"}, 404, ("words", "not_found_error", None, None), {}),
    ({"code": "invalid-argument", "error": "words"}, 400, ("words", BAD, None, "invalid-argument"), {}),
    ({"detail": "Invalid API Key"}, 401, ("Invalid API Key", "authentication_error", None, None), {}),
    ({"detail": {"message": "m", "type": "t"}}, 400, ("m", "t", None, None), {}),
    ({"detail": COMPLAINTS}, 422, ("body.n: too big; odd", BAD, None, None), {}),
    ({"message": "m"}, 429, ("m", LIMIT, None, None), {}),
    (MISTRAL, 400, ("m", "invalid_model", None, "1500"), {"raw_status_code": 400}),
    ([{"error": {"code": 404, "message": "m", "status": "NO"}}], 404, ("m", "not_found_error", None, 404), {"status": "NO"}),
    ({"error": ODD}, 500, ("the provider answered with status 500", "server_error", None, None), {}),
]


@pytest.mark.parametrize(("data", "status", "expected", "extra"), SHAPES)
def test_every_shape_is_read(data: Any, status: int, expected: tuple[str, str, str | None, Any], extra: Json) -> None:
    made = refusal(status, {}, orjson.dumps(data))
    assert (status, *expected) == shape(made)
    assert extra == made.extra


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>nginx</html>",
        b"null",
        b"[]",
        b"7",
        b'"words"',
        b"{}",
        b'{"error": null}',
        b'{"error": {}}',
        b"\xff\xfe",
        b'{"error": {"mess',
        b"x" * 10_000_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_error_object_is_not_quoted(body: bytes) -> None:
    made = refusal(502, {}, body)
    assert shape(made) == (502, "the provider answered with status 502", "server_error", None, None)
    assert made.extra == {}


@given(body=st.binary(max_size=60) | st.text().map(str.encode), status=st.integers(400, 599))
def test_any_bytes_make_a_refusal(body: bytes, status: int) -> None:
    assert refusal(status, {}, body).status == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "detail", "message", "code", "type", "details", "loc", "msg", "retryDelay", "reason"]), inner
        )
    ),
    max_leaves=12,
)


@given(data=JSON)
def test_any_json_makes_a_refusal(data: Any) -> None:
    made = refusal(400, {}, orjson.dumps(data))
    assert isinstance(made.message, str)
    assert orjson.dumps(made.body())


@pytest.mark.parametrize("depth", [300, 1000])
def test_deep_errors_are_cut_down_to_their_words(depth: int) -> None:
    nest = b"[" * depth + b"]" * depth
    for member in (b"metadata", b"details", b"param"):
        made = refusal(400, {}, b'{"error": {"message": "m", "%b": %b}}' % (member, nest))
        assert made.message in ("m", "the provider answered with status 400")
        assert made.extra == {}


def test_large_errors_are_cut_down_too() -> None:
    made = refusal(400, {}, orjson.dumps({"error": {"message": "m" * 10_000_000, "type": "t", "metadata": "x" * MOST_EXTRA}}))
    assert (len(made.message), made.type, made.extra) == (MOST_MESSAGE, "t", {})


@pytest.mark.parametrize("error", [{"message": f"Incorrect key: {KEY}"}, {"message": "m", "metadata": {"raw": [f"line\n{KEY}"], KEY: 1}}])
def test_keys_are_taken_out(error: Json) -> None:
    made = refusal(401, {}, orjson.dumps({"error": error}))
    assert KEY.encode() not in orjson.dumps(made.body())
    assert b"[hidden]" in orjson.dumps(made.body())


def test_headers_that_help_go_on_and_no_others() -> None:
    given = {"Retry-After": "7", "X-RateLimit-Reset-Tokens": "6s", "set-cookie": "a=b", "openai-organization": "org"}
    assert refusal(429, given, b"").headers == {"retry-after": "7", "x-ratelimit-reset-tokens": "6s"}


RETRY = "type.googleapis.com/google.rpc.RetryInfo"


@pytest.mark.parametrize(
    ("delay", "headers", "wait"),
    [
        ("48s", {}, "48"),
        ("0.5s", {}, "1"),
        ("48s", {"retry-after": "3"}, "3"),
        ("soon", {}, None),
        (48, {}, None),
        ("9" * 400 + "s", {}, None),
    ],
)
def test_gemini_s_delay_becomes_a_header(delay: Any, headers: dict[str, str], wait: str | None) -> None:
    error = {"code": 429, "message": "quota", "details": [{"@type": "other"}, {"@type": RETRY, "retryDelay": delay}]}
    assert refusal(429, headers, orjson.dumps({"error": error})).headers.get("retry-after") == wait


@pytest.mark.parametrize(
    ("data", "elsewhere"),
    [
        ({"error": {"message": "bad", "details": [{"reason": "API_KEY_INVALID"}]}}, True),
        ({"error": {"message": "API key not valid. Please pass a valid API key."}}, True),
        ({"error": "Incorrect API key provided. You can obtain an API key from https://console.x.ai."}, True),
        ({"error": {"message": "Invalid value for 'temperature'"}}, False),
        ({"error": {"message": "no", "code": "content_filter"}}, False),
        ({"error": {"message": "tell me what an API key is"}}, False),
    ],
)
def test_a_400_about_our_key_may_do_well_elsewhere(data: Json, elsewhere: bool) -> None:
    assert refusal(400, {}, orjson.dumps(data)).retry_elsewhere is elsewhere


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 429}, 429),
        ({"code": "503"}, 503),
        ({"status_code": 400, "code": "tool_use_failed"}, 400),
        ({"code": 200}, 500),
        ({"code": 1300, "type": "rate_limit_error"}, 429),
        ({"type": "invalid_request_error"}, 400),
        ({"type": "x", "code": "rate_limit_exceeded"}, 429),
        ({"type": ["x"], "code": {}}, 500),
        ({}, 500),
    ],
)
def test_the_status_of_an_error_inside_a_200(error: Json, status: int) -> None:
    assert refused({"error": {"message": "m", **error}}).status == status


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"choices": []}, type(None)),
        ({"error": None, "choices": []}, type(None)),
        ({"error": {"message": "m"}}, UpstreamRefusal),
        ({"object": "error", "message": "m"}, UpstreamRefusal),
        ([{"error": {"message": "m"}}], UpstreamRefusal),
        ([], UpstreamBroken),
        ("error", UpstreamBroken),
        (None, UpstreamBroken),
    ],
)
def test_what_went_wrong_inside_a_200(data: Any, kind: type) -> None:
    assert type(failure(data)) is kind


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("body", ok=False))
def test_recorded_errors_come_verbatim(record: Json) -> None:
    body = record["response"]["body"]
    made = refusal(record["response"]["status"], record["response"]["headers"], orjson.dumps(body))
    error = body.get("error", body)
    error = error if isinstance(error, dict) else {"message": error, "code": body.get("code")}
    said = error.get("message") or error.get("detail")
    assert made.message == said or "[hidden]" in made.message
    assert (record["response"]["status"], error.get("param"), error.get("code")) == (made.status, made.param, made.code)
    assert error.get("type") in (None, made.type)


REPORTED = {
    "openai/429-rate-limit-tokens": (429, "tokens", "rate_limit_exceeded", "19"),
    "openai/429-insufficient-quota": (429, "insufficient_quota", "insufficient_quota", None),
    "openai/500-server-error": (500, "server_error", None, None),
    "openai/503-overloaded": (503, "server_error", None, None),
    "groq/429-rate-limit": (429, "tokens", "rate_limit_exceeded", "8"),
    "mistral/429-kong-plain-message": (429, "rate_limit_error", None, None),
    "mistral/429-rate-limited": (429, "rate_limited", "1300", None),
    "mistral/503-service-tier-capacity": (503, "invalid_request_error", None, None),
    "azure/429-token-rate-limit": (429, "rate_limit_error", "429", "45"),
    "azure/400-content-filter-prompt": (400, "invalid_request_error", "content_filter", None),
    "ollama/400-no-tools-v1": (400, "api_error", None, None),
}


@NEEDS_WIRE
@pytest.mark.parametrize("name", REPORTED)
def test_reported_errors(name: str) -> None:
    response = record(f"_reported/{name}.json")["response"]
    made = refusal(response["status"], response["headers"], orjson.dumps(response["body"]))
    assert REPORTED[name] == (made.status, made.type, made.code, made.headers.get("retry-after"))
    assert made.retry_elsewhere is (made.status >= 429)
