"""OpenAI's stream of chat completion chunks: every byte kept but for two members that are not the client's.

The gateway always asks for the usage; a client that did not is spared `usage: null` and the usage chunk. `obfuscation` is padding
against traffic analysis, made for one connection, and goes.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

import json
from typing import Any, Final

import orjson

from ailb import sse, strict
from ailb.dialect import Event
from ailb.errors import UpstreamBroken, UpstreamFailure
from ailb.sse import Frame, Parser
from ailb.usage import Usage
from providers.openai_errors import failure

NO_USAGE: Final = b',"usage":null}'


class Decoder:
    """For OpenAI itself. A chunk is parsed once, which is what it takes to know that it is one, and told in the bytes it came in."""

    __slots__ = ("_finished", "_parser", "_told", "done", "error", "wants_usage")

    def __init__(self, *, wants_usage: bool) -> None:
        self.error: UpstreamFailure | None = None
        self.done = False
        self.wants_usage = wants_usage
        self._parser = Parser()
        self._told = False
        self._finished: dict[Any, bool] = {}

    def feed(self, chunk: bytes) -> list[Event]:
        return self._read(self._parser.feed(chunk))

    def end(self) -> list[Event]:
        """A stream without its [DONE] is whole when each choice had a finish reason: several providers end that way."""
        rest = self._parser.rest
        events = self._read(self._parser.end())
        if self.error is None and not self.done:
            self.error = self._cut(rest)
            self.done = self.error is None
            events += self.last() if self.done else []
        if self.error is not None:
            raise self.error
        return events

    def tell(self, raw: bytes, data: dict[str, Any]) -> Event | None:
        """The event for one chunk, if there is to be one."""
        if "obfuscation" in data:
            raw = _without_padding(raw, data)
        given = data.get("usage")
        if given is None:
            if not self.wants_usage and "usage" in data:
                raw = _without_null_usage(raw, data)
            return Event(b"data: %b\n\n" % raw, data=data)
        usage = Usage.of_chat(given) if isinstance(given, dict) else None
        hidden = usage is not None and not self.wants_usage and not data.get("choices")
        return Event(sse.encode(raw), usage, hidden=hidden, data=data)

    def last(self) -> list[Event]:
        """What was kept for the end of the stream."""
        return []

    def _read(self, frames: list[Frame]) -> list[Event]:
        events: list[Event] = []
        for raw, name in frames:
            if self.done or self.error is not None:
                break
            try:
                data = orjson.loads(raw)
                if name == b"error" or type(data) is not dict or "error" in data or "choices" not in data:
                    self._odd(data, name, events)
                self._look(data)
                event = self.tell(raw.replace(b"\n", b" ") if b"\n" in raw else raw, data)
                if event is not None:
                    events.append(event)
            except orjson.JSONDecodeError:
                events += self._no_json(raw.strip())
            except UpstreamFailure as failed:
                self.error = failed
        return events

    def _odd(self, data: Any, name: bytes, events: list[Event]) -> None:
        """Raises an UpstreamFailure for what is no chunk. OpenRouter says with its error what was used until then."""
        failed = failure(data, sure=name == b"error")
        if failed is None:
            return
        if self._told and isinstance(data, dict) and isinstance(given := data.get("usage"), dict):
            events.append(Event.chunk({"choices": [], "usage": given}, Usage.of_chat(given), hidden=True))
        raise failed

    def _look(self, data: dict[str, Any]) -> None:
        """What a layer may rely on in a chunk. Raises UpstreamBroken."""
        self._told = True
        finished = self._finished
        try:
            for choice in data.get("choices") or ():
                delta = choice.get("delta")
                if type(delta) is not dict and delta is not None:
                    raise TypeError("delta")
                index = choice.get("index")
                if choice.get("finish_reason"):
                    finished[index] = True
                elif index not in finished:
                    finished[index] = False
        except (AttributeError, TypeError):
            raise UpstreamBroken("the provider's stream has a chunk whose choices are none") from None

    def _no_json(self, text: bytes) -> list[Event]:
        if text == b"[DONE]" and self._told:
            self.done = True
            return self.last()
        if text:
            wrong = "is empty" if text == b"[DONE]" else "has an event that is not JSON"
            self.error = UpstreamBroken(f"the provider's stream {wrong}")
        return []

    def _cut(self, rest: bytes) -> UpstreamFailure | None:
        """What is wrong with a stream that ended here; `rest` may be an error that came without any framing."""
        rest = rest.strip()
        if rest.startswith((b"{", b"[")):
            try:
                if (failed := failure(orjson.loads(rest))) is not None:
                    return failed
            except orjson.JSONDecodeError:
                pass
        if rest.startswith((b"{", b"[", b"<")):
            return UpstreamBroken("the provider's stream has something in it that is no event")
        if not self._told:
            return UpstreamBroken("the provider's stream is empty")
        if not self._finished or not all(self._finished.values()):
            return UpstreamBroken("the provider's stream was cut before its end")
        return None


def _without_padding(raw: bytes, data: dict[str, Any]) -> bytes:
    """As bytes where it stands as OpenAI (last) or Azure writes it: an unescaped `,"name":"` is in no JSON string."""
    member = b',"obfuscation":"%b"' % str(data.pop("obfuscation")).encode()
    if raw.endswith(member + b"}"):
        return raw[: -len(member) - 1] + b"}"
    return raw.replace(member, b"") if raw.count(member) == 1 else _without(raw, "obfuscation")


def _without_null_usage(raw: bytes, data: dict[str, Any]) -> bytes:
    del data["usage"]
    return raw[: -len(NO_USAGE)] + b"}" if raw.endswith(NO_USAGE) else _without(raw, "usage")


def _without(raw: bytes, member: str) -> bytes:
    """The slow way."""
    data = reread(raw)
    del data[member]
    return rebuilt(data)


def reread(raw: bytes) -> dict[str, Any]:
    """JSON that is to be rebuilt: integers of any size exact. Raises UpstreamBroken."""
    try:
        data: dict[str, Any] = json.loads(raw)
    except (ValueError, RecursionError):
        raise UpstreamBroken("the provider's answer has a number that is too long, or is nested too deeply") from None
    return data


def rebuilt(data: dict[str, Any]) -> bytes:
    """Raises UpstreamBroken."""
    try:
        return strict.dumps(data)
    except RecursionError:
        raise UpstreamBroken("the provider's answer is nested too deeply") from None
