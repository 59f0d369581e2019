"""A stream of chat completion chunks, as Anthropic's events.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ailb import sse, strict
from ailb.clients.messages_chat import choice, counted, ending, entries, head, reasoning, said, text, thoughts, usage
from ailb.clients.messages_error import envelope
from ailb.clients.messages_growing import Blocks
from ailb.dialect import Event
from ailb.errors import Refusal
from ailb.usage import Usage

Json = dict[str, Any]


class MessagesEncoder:
    """`stops`: the client's stop sequences. Anthropic's own events go out as they came.

    The usage may come in a chunk after the last one, and a stream may still break there: so its closing events wait for `end()`.
    """

    def __init__(self, stops: Any = None) -> None:
        self._stops = stops
        self._native = False
        self._started = False
        self._blocks = Blocks()
        self._usage = counted(Usage())
        self._ending: Json = {}
        self._refused = False

    def feed(self, event: Event) -> bytes:
        if event.dialect == "messages":
            self._native = True
            return b"" if event.hidden else event.raw
        self._usage = usage(event) or self._usage
        chosen = choice(event.data)
        return b"" if chosen is None else _frames(self._chunk(event.data, chosen))

    def end(self) -> bytes:
        return b"" if self._native else _frames(self._close())

    def error(self, refusal: Refusal) -> bytes:
        return sse.encode(strict.dumps(envelope(refusal)), b"error")

    def _start(self, data: Mapping[str, Any]) -> Iterable[Json]:
        if not self._started:
            self._started = True
            message = head(data, self._usage)
            self._blocks.message = message["id"]
            yield {"type": "message_start", "message": message}

    def _chunk(self, data: Mapping[str, Any], chosen: Mapping[str, Any]) -> Iterable[Json]:
        yield from self._start(data)
        for member in ("finish_reason", "stop_reason"):
            if chosen.get(member) is not None:  # the first counts: some upstreams send another one after it
                self._ending.setdefault(member, chosen[member])
        delta = chosen.get("delta")
        if isinstance(delta, Mapping):
            self._take(delta)
            yield from self._blocks.events()

    def _take(self, delta: Mapping[str, Any]) -> None:
        blocks = self._blocks
        self._refused = self._refused or bool(text(delta.get("refusal")))
        if thinking := reasoning(delta):
            blocks.think(thinking)
        for thought in thoughts(delta):
            blocks.thought(thought)
        if words := said(delta):
            blocks.say(words)
        for position, call in enumerate(entries(delta, "tool_calls")):
            blocks.call(call, position)

    def _close(self) -> Iterable[Json]:
        yield from self._start({})
        yield from self._blocks.events(last=True)
        told = ending(self._ending, self._stops, calls=self._blocks.calls > 0, refused=self._refused)
        yield {"type": "message_delta", "delta": told, "usage": self._usage}
        yield {"type": "message_stop"}


def _frames(events: Iterable[Json]) -> bytes:
    return b"".join(sse.encode(strict.dumps(event), event["type"].encode()) for event in events)
