"""The headers that say what AILB's own fields of a body say."""

from collections.abc import Mapping
from typing import Final

from ailb.errors import BadRequest

_NAMING: Final = {"x-session-id": "X-Session-ID", "x-preferred-model": "X-Preferred-Model"}


def decoded(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Those that name something are in UTF-8, as a body is, and so the same name; they come as Latin-1. Raises BadRequest."""
    odd = [name for name in _NAMING if not headers.get(name, "").isascii()]
    return {**headers, **{name: _decoded(name, headers[name]) for name in odd}} if odd else headers


def _decoded(name: str, given: str) -> str:
    try:
        return given.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise BadRequest(f"{_NAMING[name]} is not UTF-8", param=_NAMING[name]) from None
