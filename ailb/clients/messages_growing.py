"""The content blocks of a streamed Message, one after the other, made from deltas that may come mixed.

Anthropic's blocks are strictly sequential; a chat's parallel calls need not be. So only the first unfinished block is told as it
grows; what is said for later ones waits until it is known that the first is complete.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from ailb import strict
from ailb.clients.messages_chat import call_id, text
from ailb.errors import BadRequest

Json = dict[str, Any]


class Block:
    """`content` is its beginning. `closed`: nothing more can be added."""

    def __init__(self, content: Json, *deltas: Json, closed: bool = False) -> None:
        self.content = content
        self.waiting = list(deltas)
        self.closed = closed
        self.begun = False

    @property
    def ready(self) -> bool:
        """Whether its beginning is known."""
        return True

    @property
    def complete(self) -> bool:
        """Whether it is over, once something else has been said."""
        return True


class Call(Block):
    """A tool call; `given` is the id that the upstream gave it."""

    def __init__(self, given: str, id: str) -> None:
        super().__init__({"type": "tool_use", "id": id, "name": "", "input": {}})
        self.given = given
        self.arguments = ""

    @property
    def ready(self) -> bool:
        return bool(self.content["name"])

    @property
    def complete(self) -> bool:
        if not self.arguments.endswith("}"):
            return False
        try:
            strict.parse(self.arguments.encode(errors="replace"))
        except BadRequest:
            return False
        return True

    def say(self, fragment: str) -> None:
        fragment = fragment if self.arguments else fragment.lstrip()
        if fragment and not self.closed:
            self.arguments += fragment
            self.waiting.append({"type": "input_json_delta", "partial_json": fragment})


class Blocks:
    """`message` is the id of the Message that they are in; `calls` is how many of them are calls."""

    def __init__(self, message: str = "") -> None:
        self.message = message
        self._queue: deque[Block] = deque()
        self._calls: dict[int, Call] = {}
        self._index = 0
        self.calls = 0

    def say(self, words: str) -> None:
        self._block("text", {"type": "text", "text": ""}).waiting.append({"type": "text_delta", "text": words})

    def think(self, words: str) -> None:
        self._thinking().waiting.append({"type": "thinking_delta", "thinking": words})

    def thought(self, block: Json) -> None:
        """One of Claude's own blocks. If its text has just been told, what is missing is its signature."""
        if block["type"] == "redacted_thinking":
            self._queue.append(Block(block, closed=True))
            return
        if not self._grows("thinking") and (words := text(block.get("thinking"))):
            self.think(words)
        if signature := text(block.get("signature")):
            thinking = self._thinking()
            thinking.waiting.append({"type": "signature_delta", "signature": signature})
            thinking.closed = True

    def call(self, delta: Mapping[str, Any], position: int) -> None:
        """One entry of a delta's `tool_calls`; `position` is its place there, for upstreams that leave out `index`."""
        given = delta.get("function")
        function: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        place = delta.get("index")
        call = self._called(place if isinstance(place, int) else position, delta, function)
        call.content["name"] = call.content["name"] or text(function.get("name"))
        arguments = function.get("arguments")
        call.say(strict.dumps(arguments).decode() if isinstance(arguments, Mapping) else text(arguments))

    def events(self, *, last: bool = False) -> Iterator[Json]:
        """What can be told by now; with `last`, everything."""
        while self._queue:
            block = self._queue[0]
            if not block.begun:
                if not (block.ready or last):
                    return
                block.begun = True
                yield {"type": "content_block_start", "index": self._index, "content_block": block.content}
            for delta in block.waiting:
                yield {"type": "content_block_delta", "index": self._index, "delta": delta}
            block.waiting.clear()
            if not (last or (len(self._queue) > 1 and block.complete)):
                return
            yield {"type": "content_block_stop", "index": self._index}
            self._queue.popleft().closed = True
            self._index += 1

    def _grows(self, kind: str) -> bool:
        return bool(self._queue) and self._queue[-1].content["type"] == kind and not self._queue[-1].closed

    def _block(self, kind: str, content: Json) -> Block:
        if not self._grows(kind):
            self._queue.append(Block(content))
        return self._queue[-1]

    def _thinking(self) -> Block:
        return self._block("thinking", {"type": "thinking", "thinking": "", "signature": ""})

    def _called(self, place: int, delta: Mapping[str, Any], function: Mapping[str, Any]) -> Call:
        """The call that a delta goes on with, or a new one: some upstreams give every call the same place, or no id."""
        id = text(delta.get("id"))
        known = self._calls.get(place)
        if known is not None and not (id and known.given and id != known.given):
            whole_again = text(function.get("name")) and function.get("arguments") and known.complete
            if id or not whole_again:
                return known
        call = Call(id, call_id(id, self.message, self.calls))
        self.calls += 1
        self._calls[place] = call
        self._queue.append(call)
        return call
