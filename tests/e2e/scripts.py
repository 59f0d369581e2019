"""Scripts that several tests share."""

import json
from collections.abc import Mapping
from typing import Any

from tests.e2e.upstream import Flag, Script, Talk
from tests.e2e.wire import DONE, STOP, TOTAL, completion, token


async def hello(talk: Talk) -> None:
    """A good upstream: says hello, streamed or whole as asked."""
    await _good(talk, ["he", "llo"])


def says(*texts: str) -> Script:
    """A good upstream that says these."""

    async def script(talk: Talk) -> None:
        await _good(talk, list(texts))

    return script


async def _good(talk: Talk, texts: list[str]) -> None:
    if not talk.call.json.get("stream"):
        await talk.answer(completion("".join(texts)))
        return
    usage = [TOTAL] if (talk.call.json.get("stream_options") or {}).get("include_usage") else []
    await talk.end(*[token(text) for text in texts], STOP, *usage, DONE)


async def silent(talk: Talk) -> None:
    """Takes the request and never says a word."""
    await talk.hang()


async def stalls(talk: Talk) -> None:
    """Begins to answer, and stops."""
    await talk.stream(token("first"))
    await talk.hang()


def fails(status: int, body: Mapping[str, Any] | bytes = b'{"error":{"message":"no","type":"server_error"}}', **headers: str) -> Script:
    """An error, every time."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def script(talk: Talk) -> None:
        await talk.answer(content, status, {name.replace("_", "-"): value for name, value in headers.items()})

    return script


def sends(*pieces: bytes, then: str = "close") -> Script:
    """These bytes, whatever they are; then "close", "reset", "hang" or "stay" (a connection that could be used again)."""

    async def script(talk: Talk) -> None:
        await talk.raw(*pieces)
        if then == "hang":
            await talk.hang()
        elif then != "stay":
            talk.reset() if then == "reset" else talk.close()

    return script


def held(gate: Flag, *texts: str) -> Script:
    """A stream that says "first" at once and the rest after the gate opened."""

    async def script(talk: Talk) -> None:
        await talk.stream(token("first"))
        await gate.reached()
        await talk.end(*[token(text) for text in texts], STOP, DONE)

    return script
