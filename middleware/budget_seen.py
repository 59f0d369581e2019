"""What an answer has said so far, as long as nobody has said how many tokens that was."""

from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

import orjson

from ailb.dialect import Event
from ailb.usage import Usage


class Seen:
    """The text of one answer, of all its choices, with its reasoning and its calls of tools; and the last usage that was reported."""

    __slots__ = ("_latest", "_text", "_told", "events", "usage")

    def __init__(self) -> None:
        self._text = StringIO()
        self._told = 0
        self._latest: Event | None = None
        self.events = 0
        self.usage: Usage | None = None

    def take(self, event: Event) -> None:
        """What an event says beside a usage is in that, and only read where the usage may be wrong, or more is said."""
        self.events += 1
        if self._latest is not None:
            self._read_latest()
        if event.usage is None:
            self._read(event)
        else:
            self.usage, self._latest = event.usage, event

    @property
    def exact(self) -> Usage | None:
        """The reported usage, if it is about all that was said, and can be true: an answer that says something took tokens."""
        usage = self.usage
        if usage is None or (usage.output and not usage.input):
            return None
        if self._latest is not None and usage.output:
            return usage
        silent = self.text and not usage.output
        return None if silent or self.untold else usage

    @property
    def text(self) -> str:
        """All of it."""
        self._read_latest()
        return self._text.getvalue()

    @property
    def untold(self) -> str:
        """What was said after the last usage was reported."""
        return self.text[self._told :]

    def _read_latest(self) -> None:
        if self._latest is not None:
            self._read(self._latest)
            self._latest, self._told = None, self._text.tell()

    def _read(self, event: Event) -> None:
        for part in said(event):
            self._text.write(part)


def said(event: Event) -> Iterator[str]:
    """The texts in an event for which an upstream takes money, as far as they are visible. Any JSON at all may be in it."""
    data = event.data
    if event.dialect != "chat":
        yield event.text
        yield event.reasoning
        yield from _called(data)
        return
    for choice in _listed(data.get("choices")):
        part = (choice.get("delta") or choice.get("message")) if isinstance(choice, dict) else None
        if not isinstance(part, dict):
            continue
        for name in ("content", "reasoning_content", "reasoning", "refusal"):
            value = part.get(name)
            if type(value) is str:
                yield value
        if "tool_calls" in part or "function_call" in part:
            yield from _called(part)


def _called(part: Mapping[str, Any]) -> Iterator[str]:
    """The calls of tools in a message or a piece of one: OpenAI's, Ollama's, Anthropic's."""
    delta = part.get("delta")
    if isinstance(delta, dict) and isinstance(delta.get("partial_json"), str):
        yield delta["partial_json"]
    message = part.get("message")
    inner = message if isinstance(message, dict) else part
    calls = [inner.get("function_call"), *_listed(inner.get("tool_calls"))]
    for call in calls:
        function = call.get("function", call) if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield from (_text(function[name]) for name in ("name", "arguments") if function.get(name))
    for block in _listed(part.get("content")):
        if isinstance(block, dict) and block.get("type") == "tool_use":
            yield _text(block.get("name")) + _text(block.get("input"))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
