"""Anthropic's stream: read once here, and told as chat completion chunks or left as it is.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import orjson

from ailb.chat import Chunks
from ailb.dialect import Event
from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal
from ailb.sse import DONE, Frame, Parser
from ailb.usage import Usage
from providers.anthropic_blocks import Block, Teller, opened
from providers.anthropic_errors import refused
from providers.anthropic_reply import finish, text, usage


class Reader(ABC):
    """What every decoder of this stream does: frames, errors, the end, and the usage.

    `message_start` has a first guess of the output, so the usage counts once a `message_delta` was there.
    """

    def __init__(self) -> None:
        self.error: UpstreamFailure | None = None
        self.done = False
        self._parser = Parser()
        self._reports: list[Any] = []

    def feed(self, chunk: bytes) -> list[Event]:
        return self._read(self._parser.feed(chunk))

    def end(self) -> list[Event]:
        events = self._read(self._parser.end())
        if not self.done and not isinstance(self.error, UpstreamRefusal):
            raise UpstreamBroken("the provider's stream ended without its message_stop")
        return events

    @abstractmethod
    def take(self, kind: str, data: dict[str, Any], frame: Frame) -> list[Event]:
        """The events for one of Anthropic's; it may be of a kind that nobody knows."""

    @property
    def usage(self) -> Usage:
        return usage(*self._reports)

    def _read(self, frames: list[Frame]) -> list[Event]:
        events: list[Event] = []
        for frame in frames:
            if self.done or self.error is not None:
                break
            if frame.data.strip() == DONE[6:].strip():  # OpenRouter ends Anthropic's streams with OpenAI's sentinel too
                continue
            events += self._frame(frame)
        return events

    def _frame(self, frame: Frame) -> list[Event]:
        try:
            data = orjson.loads(frame.data)
        except orjson.JSONDecodeError:
            data = None
        if not isinstance(data, dict):
            self.error = UpstreamBroken("the provider's stream has an event that is not a JSON object")
            return []
        kind = text(data.get("type")) or frame.name.decode(errors="replace")
        if kind == "error":
            self.error = refused(data)
            return []
        if kind == "message_start":
            self._reports.append(_object(data, "message").get("usage"))
        elif kind == "message_delta":
            self._reports.append(data.get("usage"))
        elif kind == "message_stop":
            self.done = True
        return self.take(kind, data, frame)


class ChatDecoder(Reader):
    """Tells the stream as chat completion chunks. The finish chunk waits for `message_stop`: only a whole stream may look finished."""

    def __init__(self, created: int, *, wants_usage: bool, legacy: bool) -> None:
        super().__init__()
        self._created = created
        self._wants_usage = wants_usage
        self._legacy = legacy
        self._teller: Teller | None = None
        self._blocks: dict[Any, Block] = {}
        self._reason: Any = None

    def take(self, kind: str, data: dict[str, Any], frame: Frame) -> list[Event]:
        if kind == "message_start":
            return self._start(_object(data, "message"))
        if self._teller is None:
            if kind != "ping":
                self.error = UpstreamBroken("the provider's stream does not begin with message_start")
            return []
        return self._go_on(kind, data, self._teller)

    def _start(self, message: Mapping[str, Any]) -> list[Event]:
        if self._teller is not None:
            return []
        chunks = Chunks(text(message.get("id")), text(message.get("model")), self._created, wants_usage=self._wants_usage)
        self._teller = Teller(chunks, legacy=self._legacy)
        return [chunks.delta({"role": "assistant", "content": ""})]

    def _go_on(self, kind: str, data: Mapping[str, Any], teller: Teller) -> list[Event]:
        index = data.get("index") if isinstance(data.get("index"), int) else None
        if kind == "content_block_start":
            self._blocks[index] = opened(_object(data, "content_block"), teller)
            return self._blocks[index].start()
        if kind == "content_block_delta" and index in self._blocks:
            return self._blocks[index].delta(_object(data, "delta"))
        if kind == "content_block_stop" and index in self._blocks:
            return self._blocks.pop(index).stop()
        if kind == "message_delta":
            self._reason = _object(data, "delta").get("stop_reason") or self._reason
        elif kind == "message_stop":
            return self._finish(teller)
        return []

    def _finish(self, teller: Teller) -> list[Event]:
        word = finish(self._reason, calls=teller.calls > 0, legacy=self._legacy)
        return [teller.chunks.delta({}, word), teller.chunks.usage(self.usage)]


def _object(data: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    value = data.get(member)
    return value if isinstance(value, Mapping) else {}
