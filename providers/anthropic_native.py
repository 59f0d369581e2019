"""Anthropic to Anthropic: the bytes stay as they are; they are read only for the text, the usage, errors and cuts.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from typing import Any, ClassVar

from ailb.dialect import Event
from ailb.sse import Frame, encode
from providers.anthropic_reply import message as read
from providers.anthropic_reply import text, usage
from providers.anthropic_stream import Reader


class MessagesEvent(Event):
    """One event of Anthropic's stream, or a whole Message."""

    __slots__ = ()
    dialect: ClassVar[str] = "messages"

    @property
    def text(self) -> str:
        return _said(self.data, "text")

    @property
    def reasoning(self) -> str:
        return _said(self.data, "thinking")


def whole(body: bytes) -> MessagesEvent:
    """Raises UpstreamBroken, or UpstreamRefusal for an error with status 200."""
    return MessagesEvent(body.strip(), usage(read(body).get("usage")))


class NativeDecoder(Reader):
    def take(self, kind: str, data: dict[str, Any], frame: Frame) -> list[Event]:
        raw = encode(frame.data.replace(b"\n", b""), frame.name or kind.encode())
        event = MessagesEvent(raw, self.usage if kind == "message_delta" else None)
        event._data = data
        return [event]


def _said(data: dict[str, Any], member: str) -> str:
    whole = data.get("content")
    parts = whole if isinstance(whole, list) else [data.get("content_block"), data.get("delta")]
    return "".join(text(part.get(member)) for part in parts if isinstance(part, dict))
