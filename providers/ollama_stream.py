"""Ollama's stream, one JSON object a line: read once here, and told as chat completion chunks or left as it is.

Source: https://docs.ollama.com/api/streaming
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

import orjson

from ailb.chat import Chunks
from ailb.dialect import Event
from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal
from providers.ollama_errors import refused
from providers.ollama_reply import Calls, answer_id, finish, message, text, usage

MOST_LINE: Final = 8 * 1024 * 1024
"""Bytes that one line may have. Ollama sends a token a line; without a bound one upstream could fill the memory."""


class Lines:
    """Feed it bytes, get lines, without their ends and without empty ones. Raises UpstreamBroken for a line beyond the limit."""

    def __init__(self, limit: int = MOST_LINE) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        first, *others = chunk.split(b"\n")
        self._rest += first
        lines: list[bytes] = []
        for other in others:
            lines.append(self._finished())
            self._rest += other
        self._check(self._rest)
        return [line for line in lines if line]

    def end(self) -> list[bytes]:
        """The stream is over: what is left is the last line."""
        return [line for line in [self._finished()] if line]

    def _finished(self) -> bytes:
        self._check(self._rest)
        line = bytes(self._rest).strip()
        self._rest.clear()
        return line

    def _check(self, line: bytearray) -> None:
        if len(line) > self._limit:
            raise UpstreamBroken(f"the provider's stream has a line of more than {self._limit} bytes")


class Reader(ABC):
    """What every decoder of this stream does: lines, errors, and the end."""

    def __init__(self) -> None:
        self.error: UpstreamFailure | None = None
        self.done = False
        self._lines = Lines()

    def feed(self, chunk: bytes) -> list[Event]:
        return self._read(self._lines.feed(chunk))

    def end(self) -> list[Event]:
        events = self._read(self._lines.end())
        if not self.done and not isinstance(self.error, UpstreamRefusal):
            raise UpstreamBroken("the provider's stream ended without its last line")
        return events

    @abstractmethod
    def take(self, line: bytes, data: dict[str, Any]) -> list[Event]:
        """The events for one line; `self.done` already tells whether it is the last. Raises UpstreamBroken."""

    def _read(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if self.done or self.error is not None:
                break
            try:
                events += self._line(line)
            except UpstreamFailure as failure:  # what came before it was said, however the bytes were cut
                self.error, self.done = failure, False
        return events

    def _line(self, line: bytes) -> list[Event]:
        try:
            data = orjson.loads(line)
        except orjson.JSONDecodeError as bad:
            raise UpstreamBroken("the provider's stream has a line that is not JSON") from bad
        if not isinstance(data, dict):
            raise UpstreamBroken("the provider's stream has a line that is not an object")
        if data.get("error"):
            raise refused(data)
        self.done = data.get("done") is True
        return self.take(line, data)


class ChatDecoder(Reader):
    """Tells the stream as chat completion chunks. A tool call comes whole, so it is one chunk."""

    def __init__(self, created: int, *, wants_usage: bool) -> None:
        super().__init__()
        self._created = created
        self._wants_usage = wants_usage
        self._chunks: Chunks | None = None
        self._calls = Calls("")

    def take(self, line: bytes, data: dict[str, Any]) -> list[Event]:
        events: list[Event] = []
        chunks = self._chunks
        if chunks is None:
            id = answer_id(data)
            self._calls = Calls(id)
            self._chunks = chunks = Chunks(id, text(data.get("model")), self._created, wants_usage=self._wants_usage)
            events.append(chunks.delta({"role": "assistant", "content": ""}))
        events += self._said(message(data), chunks)
        if self.done:
            events.append(chunks.delta({}, finish(data, called=bool(self._calls.ids))))
            events.append(chunks.usage(usage(data)))
        return events

    def _said(self, said: Mapping[str, Any], chunks: Chunks) -> list[Event]:
        events: list[Event] = []
        if thinking := text(said.get("thinking")):
            events.append(chunks.delta({"reasoning_content": thinking}))
        if content := text(said.get("content")):
            events.append(chunks.delta({"content": content}))
        first = len(self._calls.ids)
        for index, call in enumerate(self._calls.take(said.get("tool_calls")), first):
            events.append(chunks.tool(index, call.id, call.name, call.arguments))
        return events
