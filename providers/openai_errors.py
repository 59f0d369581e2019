"""The errors of OpenAI and of those who say that they are compatible: many shapes, one UpstreamRefusal.

Source: https://platform.openai.com/docs/guides/error-codes, and what the others were seen to send.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from ailb.errors import MOST_MESSAGE, UpstreamBroken, UpstreamFailure, UpstreamRefusal
from ailb.headers import passed_on
from ailb.secret import scrub
from ailb.strict import loosely

MOST_EXTRA: Final = 65_536
"""Bytes of an error object that is passed on with its further members."""

_MEMBERS: Final = ("message", "type", "param", "code")

_STATUS: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "tokens": 429,
    "requests": 429,
    "overloaded_error": 503,
    "service_unavailable": 503,
}
_OUR_KEY: Final = re.compile(
    r"\b(?:incorrect|invalid|expired|missing)\s+api[ _-]?key"
    r"|\bapi[ _-]?key\s+(?:is\s+)?(?:not valid|invalid|expired|not found)",
    re.IGNORECASE,
)
_DELAY: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefusal:
    """From an answer with an error status. What is not JSON (a proxy's HTML, nothing) is not quoted."""
    return refused(loosely(body), status, headers)


def refused(data: Any, status: int | None = None, headers: Mapping[str, str] | None = None) -> UpstreamRefusal:
    """From the JSON of an error, of any shape; without a status, as inside a 200, the error itself tells it."""
    error = _tamed(_error(data))
    status = status or _status(error)
    kind, param, code = error.get("type"), error.get("param"), error.get("code")
    made = UpstreamRefusal(
        status,
        _message(error) or f"the provider answered with status {status}",
        type=kind if isinstance(kind, str) else None,
        param=param if isinstance(param, str) else None,
        code=code if isinstance(code, str | int) and not isinstance(code, bool) else None,
        headers=_headers(headers or {}, error),
        extra={name: value for name, value in error.items() if name not in _MEMBERS},
    )
    if status == 400 and _is_about_our_key(error):
        made.retry_elsewhere = True
    return made


def failure(data: Any, *, sure: bool = False) -> UpstreamFailure | None:
    """What JSON that came inside a 200 says went wrong; None for one that may be an answer. `sure`: it was announced as an error."""
    first = data[0] if isinstance(data, list) and data else data
    if isinstance(first, dict) and (sure or first.get("error") or first.get("object") == "error"):
        return refused(data)
    return None if isinstance(data, dict) else UpstreamBroken("the provider's answer is not a JSON object")


def _error(data: Any) -> dict[str, Any]:
    """The object that has `message`, `type`, `param` and `code`, wherever it is; empty where there is none."""
    if isinstance(data, list):  # Gemini's, without `alt=sse`
        return _error(data[0]) if data and isinstance(data[0], dict) else {}
    if not isinstance(data, dict):
        return {}
    error = data.get("error")
    if isinstance(error, dict):
        return error
    if isinstance(error, str):  # xAI, Venice, Ollama
        return {"message": error, **{name: data[name] for name in ("type", "param", "code") if name in data}}
    if "detail" in data:  # Mistral's gate, Voyage, FastAPI
        return _detail(data["detail"])
    return {name: value for name, value in data.items() if name != "object"} if isinstance(data.get("message"), str) else {}


def _detail(detail: Any) -> dict[str, Any]:
    if isinstance(detail, dict):
        return detail
    if isinstance(detail, list):
        complaints = [item for item in detail if isinstance(item, dict) and isinstance(item.get("msg"), str)]
        return {"message": "; ".join(f"{_place(item.get('loc'))}{item['msg']}" for item in complaints)}
    return {"message": detail}


def _place(location: Any) -> str:
    parts = [str(part) for part in location if isinstance(part, str | int)] if isinstance(location, list) else []
    return ".".join(parts) + ": " if parts else ""


def _tamed(error: dict[str, Any]) -> dict[str, Any]:
    """Without keys, and without what is too large or too deep to be an explanation."""
    try:
        small = len(orjson.dumps(error)) <= MOST_EXTRA
    except TypeError:  # nested deeper than can be written
        small = False
    if not small:
        error = {name: error[name][:MOST_MESSAGE] for name in _MEMBERS if isinstance(error.get(name), str)}
    tamed: dict[str, Any] = _scrubbed(error)
    return tamed


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    if isinstance(value, dict):
        return {scrub(name): _scrubbed(item) for name, item in value.items()}
    return value


def _message(error: Mapping[str, Any]) -> str:
    message = error.get("message")
    return message[:MOST_MESSAGE] if isinstance(message, str) else ""


def _status(error: Mapping[str, Any]) -> int:
    for name in ("status_code", "raw_status_code", "code"):
        value = error.get(name)
        if isinstance(value, str) and len(value) == 3 and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    kinds = (error.get("type"), error.get("code"))
    return next((_STATUS[kind] for kind in kinds if isinstance(kind, str) and kind in _STATUS), 500)


def _headers(headers: Mapping[str, str], error: Mapping[str, Any]) -> dict[str, str]:
    """Gemini says in the body how long to wait, and in no header."""
    kept = passed_on(headers, error=True)
    if "retry-after" not in kept:
        delays = (detail.get("retryDelay") for detail in _details(error))
        waits = [wait for delay in delays if isinstance(delay, str) and (wait := _DELAY.fullmatch(delay))]
        if waits:
            kept["retry-after"] = str(math.ceil(float(waits[0][1])))
    return kept


def _is_about_our_key(error: Mapping[str, Any]) -> bool:
    """Gemini and xAI answer 400 to a wrong key. It is this gateway's key, so the request may do well elsewhere."""
    reasons = [detail.get("reason") for detail in _details(error)]
    return "API_KEY_INVALID" in reasons or bool(_OUR_KEY.search(_message(error)))


def _details(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    details = error.get("details")
    yield from (detail for detail in details if isinstance(detail, dict)) if isinstance(details, list) else ()
