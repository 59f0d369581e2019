"""Ollama's errors: `{"error": "text"}`, and behind some proxies OpenAI's `{"error": {"message": ...}}`.

Source: https://docs.ollama.com/api/errors
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ailb.errors import MOST_MESSAGE, UpstreamRefusal
from ailb.headers import passed_on
from ailb.secret import scrub
from ailb.strict import loosely


class _Kind(NamedTuple):
    """What a message means. `here` is about this host or this model, so that another target may do better."""

    status: int
    words: str
    code: str
    param: str | None
    here: bool


_KINDS: Final = (
    _Kind(400, "does not support tools", "unsupported_parameter", "tools", here=True),
    _Kind(400, "does not support thinking", "unsupported_parameter", "reasoning_effort", here=True),
    _Kind(400, "does not support", "unsupported_value", "model", here=True),
    _Kind(400, "context length", "context_length_exceeded", "messages", here=False),
    _Kind(400, "context size", "context_length_exceeded", "messages", here=False),
    _Kind(404, "not found", "model_not_found", "model", here=True),
)


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefusal:
    """From an answer with an error status. What is not Ollama's JSON (a proxy's HTML, nothing) is not quoted."""
    data = loosely(body)
    return refused(data if isinstance(data, dict) else {}, status, headers)


def refused(data: Mapping[str, Any], status: int = 500, headers: Mapping[str, str] | None = None) -> UpstreamRefusal:
    """From Ollama's error object; inside a 200 it has no status."""
    given = data.get("error")
    error: Mapping[str, Any] = given if isinstance(given, Mapping) else {"message": given}
    message = _text(error.get("message"))
    kind = next((kind for kind in _KINDS if kind.status == status and kind.words in (message or "")), None)
    made = UpstreamRefusal(
        status,
        scrub(message[:MOST_MESSAGE]) if message else f"the provider answered with status {status}",
        type=_text(error.get("type")),
        param=_text(error.get("param")) or (kind.param if kind else None),
        code=error.get("code") or (kind.code if kind else None),
        headers=passed_on(headers or {}, error=True),
        extra={name: value for name, value in error.items() if name not in ("message", "type", "param", "code")},
    )
    if kind and kind.here:
        made.retry_elsewhere = True
    return made


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
