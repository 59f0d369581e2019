"""Chat messages put among others so that their roles still alternate. Pure.

The templates of many models refuse two messages of the user's in a row (Mistral, Gemma, Llama 2: "roles must alternate").
"""

from collections.abc import Iterable
from typing import Any

Message = dict[str, Any]


def alternating(messages: Iterable[Message]) -> list[Message]:
    """Neighbours of the user's, and of the assistant's, become one message. One that calls tools has its results behind it."""
    made: list[Message] = []
    for message in messages:
        before = made[-1] if made else {}
        if message.get("role") in ("user", "assistant") and message.get("role") == before.get("role") and not before.get("tool_calls"):
            message = {**made.pop(), **message, "content": joined(before.get("content"), message.get("content"))}
        made.append(message)
    return made


def joined(first: Any, then: Any) -> Any:
    """Two contents as one: texts with a blank line between them, else their parts."""
    if isinstance(first, str | None) and isinstance(then, str | None):
        return "\n\n".join(filter(None, (first, then))) or then
    return [*_parts(first), *_parts(then)]


def put_before(text: str, content: Any, own: Any) -> Any:
    """A content that ends with `own`, with a text in front of that."""
    if isinstance(content, str | None):
        content, own = content or "", own if isinstance(own, str) else ""
        ahead = content[: len(content) - len(own)].removesuffix("\n\n")
        return "\n\n".join(filter(None, (ahead, text, own)))
    parts = _parts(content)
    at = len(parts) - len(_parts(own))
    return [*parts[:at], *_parts(text), *parts[at:]]


def _parts(content: Any) -> list[Any]:
    """What is no content at all stays in it: that is the upstream's to refuse."""
    if isinstance(content, str):
        content = {"type": "text", "text": content} if content else None
    if content is None:
        return []
    return content if isinstance(content, list) else [content]
