"""What a request stays with: who has the same key is sent to the same target, as long as that is well. Pure.

A provider keeps the beginnings of prompts in a cache for some minutes, on the machines that saw them; and a canary is one only
if it is the same callers that get it.
"""

from collections.abc import Iterator
from typing import Any, Final

from ailb.exchange import Exchange

KINDS: Final = ("session", "prefix", "user")
HEADER: Final = "header:"
PREFIX_CHARACTERS: Final = 4096
"""Of the system prompt and of the first thing that was said; what comes later differs from turn to turn."""


def known(sticky: str) -> bool:
    return not sticky or sticky in KINDS or (sticky.startswith(HEADER) and len(sticky) > len(HEADER))


def key(exchange: Exchange, sticky: str) -> bytes | None:
    """None where the request has nothing to stay with."""
    if sticky == "session":
        session = exchange.prompt.session_id
        return f"{exchange.caller.user}\0{session}".encode() if session else None
    if sticky == "user":
        return exchange.caller.user.encode()
    if sticky == "prefix":
        return "\0".join(_beginning(exchange)).encode(errors="replace")
    value = exchange.headers.get(sticky.removeprefix(HEADER).lower())
    return value.encode(errors="replace") if value else None


def _beginning(exchange: Exchange) -> Iterator[str]:
    """All that is system prompt, and the first text behind it."""
    left = PREFIX_CHARACTERS
    for message in exchange.prompt.readable()["messages"]:
        content = message.get("content")
        text = content if isinstance(content, str) else repr(_unmarked(content))
        yield text[:left]
        left -= len(text)
        if left <= 0 or message.get("role") not in ("system", "developer"):
            return


def _unmarked(content: Any) -> Any:
    """Clients move their marks for the cache from turn to turn."""
    if not isinstance(content, list):
        return content
    return [{name: part[name] for name in part if name != "cache_control"} if isinstance(part, dict) else part for part in content]
