"""Ollama to Ollama: the bytes stay as they are; they are read only for the text, the usage, errors and cuts.

Source: https://docs.ollama.com/api/streaming
"""

from typing import Any, ClassVar, Self

import orjson

from ailb.dialect import Event
from ailb.usage import Usage
from providers.ollama_reply import message, text, usage
from providers.ollama_stream import Reader


class OllamaEvent(Event):
    """One line of Ollama's stream with its newline, or a whole answer."""

    __slots__ = ()
    dialect: ClassVar[str] = "ollama"

    @classmethod
    def chunk(cls, data: dict[str, Any], usage: Usage | None = None, *, name: bytes = b"", hidden: bool = False) -> Self:
        """Lines have no name: it is left out."""
        event = cls(orjson.dumps(data) + b"\n", usage, hidden=hidden)
        event._data = data
        return event

    @property
    def text(self) -> str:
        return text(message(self.data).get("content"))

    @property
    def reasoning(self) -> str:
        return text(message(self.data).get("thinking"))


class NativeDecoder(Reader):
    def take(self, line: bytes, data: dict[str, Any]) -> list[Event]:
        event = OllamaEvent(line + b"\n", usage(data) if self.done else None)
        event._data = data
        return [event]
