"""Ollama's recorded exchanges, prompts to decode them for, and an independent reading of what they say."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ailb.clients.ollama_prompt import OllamaPrompt
from ailb.dialect import Decoder, Event
from ailb.prompt import Prompt
from providers.ollama import Ollama

SHARED = Path(os.environ.get("AILB_SHARED") or Path(__file__).resolve().parents[2] / "../shared")
WIRE = SHARED / "wire"
NEEDS_WIRE = pytest.mark.skipif(not (WIRE / "ollama").is_dir(), reason="the recorded provider traffic is not here")
RECEIVED = 1_700_000_000

Json = dict[str, Any]


def prompt(*, native: bool = False, **body: Any) -> Prompt:
    kind = OllamaPrompt if native else Prompt
    made = kind({"model": "m", "messages": [{"role": "user", "content": "hi"}], **body}, {})
    made.received = RECEIVED
    return made


def recordings(kind: str, folder: str = "ollama", *, status: int | None = 200) -> list[Any]:
    """Parameters for pytest: each recording of the chat endpoint whose response has `kind` (`ndjson` or `body`)."""
    return [
        pytest.param(record, id=name)
        for name, record in _read(folder)
        if kind in record["response"] and status in (None, record["response"]["status"])
    ]


def _read(folder: str) -> Iterator[tuple[str, Json]]:
    for path in sorted((WIRE / folder).glob("*.json")):
        record = json.loads(path.read_text())
        if record["endpoint"] == "api.chat":
            yield path.stem, record


@dataclass
class Said:
    """What an answer says, read without the code under test."""

    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    reason: str | None = None
    tokens: tuple[int, int] = (0, 0)

    @property
    def finish(self) -> str:
        return "length" if self.reason == "length" else "tool_calls" if self.calls else "stop"


def said_native(lines: list[Json]) -> Said:
    """From the lines of a stream, or from the one object of an answer."""
    said = Said(reason=lines[-1]["done_reason"])
    said.tokens = (lines[-1].get("prompt_eval_count") or 0, lines[-1].get("eval_count") or 0)
    for line in lines:
        message = line["message"]
        said.text += message["content"]
        said.reasoning += message.get("thinking", "")
        for call in message.get("tool_calls", ()):
            said.calls.append((call["function"]["name"], call["function"]["arguments"]))
    return said


def lines_of(ndjson: str | bytes) -> list[Json]:
    return [json.loads(line) for line in ndjson.splitlines()]


def line(content: str = "", *, done: bool = False, **message: Any) -> Json:
    base = {"model": "m", "created_at": "2025-01-01T00:00:00.5Z", "message": {"role": "assistant", "content": content, **message}}
    return {**base, "done": False} if not done else {**base, "done": True, "done_reason": "stop"}


def ndjson(*lines: Json) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def decode(data: bytes, cuts: list[int] | None = None, *, native: bool = False, **body: Any) -> tuple[list[Event], Decoder]:
    decoder = Ollama().decoder(prompt(native=native, **{"stream": True, **body}))
    edges = [0, *sorted(cuts or []), len(data)]
    events = [event for start, stop in pairwise(edges) for event in decoder.feed(data[start:stop])]
    return events + decoder.end(), decoder


def told_stream(events: list[Event]) -> Said:
    """What chat completion chunks say."""
    said = Said()
    calls: dict[int, list[str]] = {}
    for event in events:
        for choice in event.data["choices"]:
            delta = choice["delta"]
            said.text += delta.get("content") or ""
            said.reasoning += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls", ()):
                calls.setdefault(call["index"], ["", ""])
                calls[call["index"]][0] += call["function"].get("name", "")
                calls[call["index"]][1] += call["function"]["arguments"]
            said.reason = choice["finish_reason"] or said.reason
        if event.usage is not None:
            said.tokens = (event.usage.input, event.usage.output)
    said.calls = [(name, json.loads(arguments)) for name, arguments in calls.values()]
    return said


def told_whole(event: Event) -> Said:
    """What a chat completion says."""
    (choice,) = event.data["choices"]
    message = choice["message"]
    calls = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message.get("tool_calls", ())]
    tokens = (event.data["usage"]["prompt_tokens"], event.data["usage"]["completion_tokens"])
    return Said(message["content"] or "", message.get("reasoning_content", ""), calls, choice["finish_reason"], tokens)
