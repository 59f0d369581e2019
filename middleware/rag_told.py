"""What a client is told about the sources of its answer: annotations where its dialect has them, and headers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ailb.dialect import Event
from ailb.exchange import Exchange, Outcome
from ailb.retrieval import Passage
from middleware.rag_cited import annotations, unknown

SOURCES_HEADER: Final = "x-ailb-rag-sources"
UNKNOWN_HEADER: Final = "x-ailb-rag-unknown-citations"

_SAME: Final = ("id", "object", "created", "model", "service_tier", "system_fingerprint")
"""What all chunks of a stream have in common. What else is in the last one is said there, and once."""

Json = dict[str, Any]


class Told:
    """One answer, with all its choices. Anthropic's and Ollama's answers have no place for citations of this kind: headers only."""

    __slots__ = ("_annotates", "_done", "_exchange", "_said", "_sources")

    def __init__(self, exchange: Exchange, sources: Sequence[Passage]) -> None:
        self._exchange = exchange
        self._sources = sources
        self._annotates = exchange.prompt.dialect == "chat"
        self._said: dict[int, list[str]] = {}
        self._done: set[int] = set()

    def whole(self, event: Event) -> Event:
        """An answer that is not streamed, with what it cites; the same event where that is nothing."""
        self._take(event)
        if wrong := self._unknown():
            self._exchange.reply_headers[UNKNOWN_HEADER] = ", ".join(map(str, wrong))
        if not self._annotates or event.dialect != "chat":
            return event
        made = {index: cited for index in self._said if (cited := self._cited(index))}
        if not made:
            return event
        choices = [_annotated(choice, made) for choice in event.data["choices"]]
        return Event.whole({**event.data, "choices": choices}, event.usage)

    def batch(self, events: list[Event]) -> list[Event]:
        """Events of a stream as they are, and before the last one of a choice a chunk with what that cites."""
        told: list[Event] = []
        for event in events:
            self._take(event)
            if self._annotates and event.dialect == "chat" and (chunk := self._chunk(event.data)):
                told.append(Event.chunk(chunk))
            told.append(event)
        return told

    def settle(self, outcome: Outcome) -> None:
        """For the log line and the metrics: numbers that are cited, and are no source's."""
        if wrong := self._unknown():
            self._exchange.notes["rag_unknown"] = wrong

    def _take(self, event: Event) -> None:
        if event.dialect != "chat":
            self._said.setdefault(0, []).append(event.text)
            return
        for choice in _choices(event.data):
            part = choice.get("delta") or choice.get("message")
            content = part.get("content") if isinstance(part, dict) else None
            if isinstance(content, str):
                self._said.setdefault(_index(choice), []).append(content)

    def _chunk(self, data: Json) -> Json | None:
        ended = [_index(choice) for choice in _choices(data) if choice.get("finish_reason")]
        fresh = [index for index in ended if index not in self._done]
        self._done.update(fresh)
        choices = [
            {"index": index, "delta": {"annotations": cited}, "logprobs": None, "finish_reason": None}
            for index in fresh
            if (cited := self._cited(index))
        ]
        if not choices:
            return None
        usage = {"usage": None} if "usage" in data else {}
        return {**{name: data[name] for name in _SAME if name in data}, "choices": choices, **usage}

    def _cited(self, index: int) -> list[Json]:
        return annotations("".join(self._said.get(index, ())), self._sources)

    def _unknown(self) -> list[int]:
        return unknown("\n".join("".join(said) for said in self._said.values()), len(self._sources))


def _annotated(choice: Any, made: Mapping[int, list[Json]]) -> Any:
    """A choice with its annotations behind those that the upstream made."""
    message = choice.get("message") if isinstance(choice, dict) else None
    cited = made.get(_index(choice)) if isinstance(message, dict) else None
    if not cited or not isinstance(message, dict):
        return choice
    given = message.get("annotations")
    return {**choice, "message": {**message, "annotations": [*(given if isinstance(given, list) else []), *cited]}}


def _choices(data: Json) -> Iterator[Json]:
    choices = data.get("choices")
    if isinstance(choices, list):
        yield from (choice for choice in choices if isinstance(choice, dict))


def _index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0
