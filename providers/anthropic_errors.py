"""Anthropic's errors.

Source: https://platform.claude.com/docs/en/api/errors
"""

from collections.abc import Mapping
from typing import Any, Final

from ailb.errors import MOST_MESSAGE, UpstreamRefusal
from ailb.headers import passed_on
from ailb.secret import scrub
from ailb.strict import loosely

_STATUS: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_OPENAI: Final = {
    "billing_error": "insufficient_quota",
    "request_too_large": "invalid_request_error",
    "api_error": "server_error",
    "timeout_error": "server_error",
    "overloaded_error": "server_error",
}
_CODES: Final = (
    ("prompt is too long", "context_length_exceeded"),
    ("input length and `max_tokens` exceed context limit", "context_length_exceeded"),
    ("model:", "model_not_found"),
    ("Your credit balance is too low", "insufficient_quota"),
)


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefusal:
    """From an answer with an error status. What is not Anthropic's JSON (a proxy's HTML, nothing) is not quoted."""
    data = loosely(body)
    return refused(data if isinstance(data, dict) else {}, status, headers)


def refused(data: Mapping[str, Any], status: int | None = None, headers: Mapping[str, str] | None = None) -> UpstreamRefusal:
    """From Anthropic's error object; without a status, as in a stream, its type tells it.

    `extra` has `anthropic_type`, which is Anthropic's own word, `request_id`, and what else was in the error.
    """
    given = data.get("error")
    error = given if isinstance(given, Mapping) else {}
    kind = error.get("type") if isinstance(error.get("type"), str) else None
    status = status or _STATUS.get(str(kind), 500)
    message = error.get("message")
    message = scrub(message[:MOST_MESSAGE]) if isinstance(message, str) and message else f"the provider answered with status {status}"
    code = next((code for start, code in _CODES if message.startswith(start)), None)
    made = UpstreamRefusal(
        status,
        message,
        type=_OPENAI.get(kind, kind) if kind else None,
        code=code,
        headers=passed_on(headers or {}, error=True),
        extra=_extra(data, error, kind),
    )
    if code == "insufficient_quota":  # it says 400, but it is about the account: another target may do better
        made.retry_elsewhere = True
    return made


def _extra(data: Mapping[str, Any], error: Mapping[str, Any], kind: str | None) -> dict[str, Any]:
    extra = {field: value for field, value in error.items() if field not in ("type", "message") and value is not None}
    if kind:
        extra["anthropic_type"] = kind
    if isinstance(data.get("request_id"), str):
        extra["request_id"] = data["request_id"]
    return extra
