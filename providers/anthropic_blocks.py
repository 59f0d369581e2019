"""The content blocks of a streamed message, each told as chat completion chunks while it grows.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ailb.chat import Chunks
from ailb.dialect import Event
from providers.anthropic_reply import arguments, sources, text
from providers.anthropic_tools import JSON_TOOL


class Teller:
    """What the blocks of one stream share: the chunks, how long the text is, and how many calls there were."""

    def __init__(self, chunks: Chunks, *, legacy: bool = False) -> None:
        self.chunks = chunks
        self.legacy = legacy
        self.length = 0
        self.calls = 0
        self._listed: dict[str, int] = {}

    def say(self, text: str) -> list[Event]:
        self.length += len(text)
        return [self.chunks.delta({"content": text})] if text else []

    def more(self, member: str, entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """A delta that adds to a list; OpenAI's SDK puts such lists together by `index` and takes none without it."""
        first = self._listed.get(member, 0)
        made = [{**entry, "index": index} for index, entry in enumerate(entries, first)]
        self._listed[member] = first + len(made)
        return {member: made}


class Block:
    """A block that nothing is told of: a server's tool, its result, a kind that is newer than this."""

    def __init__(self, content: Mapping[str, Any], teller: Teller) -> None:
        self._content = content
        self._teller = teller

    def start(self) -> list[Event]:
        return []

    def delta(self, delta: Mapping[str, Any]) -> list[Event]:
        return []

    def stop(self) -> list[Event]:
        return []


class _Text(Block):
    """Its citations come before the text that they belong to, so they are told when it is complete."""

    def start(self) -> list[Event]:
        self._from = self._teller.length
        self._citations: list[Any] = []
        return self._teller.say(text(self._content.get("text")))

    def delta(self, delta: Mapping[str, Any]) -> list[Event]:
        if delta.get("type") == "citations_delta":
            self._citations.append(delta.get("citation"))
        return self._teller.say(text(delta.get("text")))

    def stop(self) -> list[Event]:
        found = sources(self._citations, self._from, self._teller.length)
        return [self._teller.chunks.delta(self._teller.more(member, entries)) for member, entries in found.items()]


class _Thinking(Block):
    """Its text is told as it comes; the block itself, which the client has to send back unchanged, once it is signed."""

    def start(self) -> list[Event]:
        self._block = dict(self._content)
        return self._think(text(self._content.get("thinking")))

    def delta(self, delta: Mapping[str, Any]) -> list[Event]:
        for grown in ("thinking", "signature"):
            if isinstance(delta.get(grown), str):
                self._block[grown] = text(self._block.get(grown)) + delta[grown]
        return self._think(text(delta.get("thinking")))

    def stop(self) -> list[Event]:
        return [self._teller.chunks.delta(self._teller.more("thinking_blocks", [self._block]))]

    def _think(self, text: str) -> list[Event]:
        return [self._teller.chunks.delta({"reasoning_content": text})] if text else []


class _Input(Block):
    """A block whose input comes in fragments, the first of them empty; without any it is what the start event said."""

    def start(self) -> list[Event]:
        self._any = False
        return []

    def delta(self, delta: Mapping[str, Any]) -> list[Event]:
        fragment = text(delta.get("partial_json"))
        self._any = self._any or bool(fragment)
        return self._tell(fragment) if fragment else []

    def stop(self) -> list[Event]:
        return [] if self._any else self._tell(arguments(self._content.get("input")))

    def _tell(self, fragment: str) -> list[Event]:
        return []


class _Json(_Input):
    """The tool that stands for an answer in JSON."""

    def _tell(self, fragment: str) -> list[Event]:
        return self._teller.say(fragment)


class _Call(_Input):
    def start(self) -> list[Event]:
        self._index = self._teller.calls
        self._teller.calls += 1
        name = text(self._content.get("name"))
        chunks = self._teller.chunks
        if self._teller.legacy:
            began = [chunks.delta({"function_call": {"name": name, "arguments": ""}})] if self._index == 0 else []
        else:
            began = [chunks.tool(self._index, text(self._content.get("id")), name)]
        return super().start() + began

    def _tell(self, fragment: str) -> list[Event]:
        if not self._teller.legacy:
            return [self._teller.chunks.arguments(self._index, fragment)]
        return [self._teller.chunks.delta({"function_call": {"arguments": fragment}})] if self._index == 0 else []


def opened(content: Mapping[str, Any], teller: Teller) -> Block:
    """The block that a `content_block_start` begins."""
    kind = content.get("type")
    if kind == "tool_use":
        return (_Json if content.get("name") == JSON_TOOL else _Call)(content, teller)
    known = {"text": _Text, "thinking": _Thinking, "redacted_thinking": _Thinking}
    return known.get(kind, Block)(content, teller) if isinstance(kind, str) else Block(content, teller)
