"""Errors, as Anthropic's clients read them.

Source: https://platform.claude.com/docs/en/api/errors
"""

from typing import Any, Final

from ailb.errors import Refusal, UpstreamRefusal

_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def envelope(refusal: Refusal) -> dict[str, Any]:
    """`{type: "error", error: {type, message}}`, with Anthropic's own type and request id where it was Anthropic that refused."""
    extra = refusal.extra if isinstance(refusal, UpstreamRefusal) else {}
    made: dict[str, Any] = {"type": "error", "error": {"type": _type(refusal.status, extra), "message": refusal.message}}
    if isinstance(extra.get("request_id"), str):
        made["request_id"] = extra["request_id"]
    return made


def _type(status: int, extra: dict[str, Any]) -> str:
    given = extra.get("anthropic_type")
    if isinstance(given, str):
        return given
    return _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
