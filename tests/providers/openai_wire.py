"""Recorded chat completions of OpenAI and its likes, prompts to decode them for, and an independent reading of what they say."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ailb.dialect import Event
from ailb.prompt import Prompt
from providers.catalog import ROWS
from providers.openai import OpenAI
from providers.openai_stream import Decoder

SHARED = Path(os.environ.get("AILB_SHARED") or Path(__file__).resolve().parents[2] / "../shared")
WIRE = SHARED / "wire"
NEEDS_WIRE = pytest.mark.skipif(not (WIRE / "openai").is_dir(), reason="the recorded provider traffic is not here")
RECEIVED = 1_700_000_000
OTHER_NAMES = {"vercel-gateway": "vercel", "ollama": "openai-compatible"}

Json = dict[str, Any]


def prompt(**body: Any) -> Prompt:
    made = Prompt({"model": "m", "messages": [{"role": "user", "content": "hi"}], **body}, {})
    made.received = RECEIVED
    return made


def asking(*, wants_usage: bool) -> Prompt:
    """A prompt for a stream."""
    return prompt(stream=True, **({"stream_options": {"include_usage": True}} if wants_usage else {}))


def dialect(provider: str) -> OpenAI:
    """As the catalogue has it for the provider of a recording; those it does not know are servers of which nothing is known."""
    row = ROWS.get(OTHER_NAMES.get(provider, provider), ROWS["openai-compatible"])
    return OpenAI(quirks=row.quirks, chat_path=row.chat_path, models_path=row.models_path)


def recordings(kind: str, *, ok: bool = True, provider: str | None = None) -> list[Any]:
    """Parameters for pytest: each recorded chat completion whose response has `kind` (`sse` or `body`) and was answered, or refused."""
    return [
        pytest.param(record, id=name)
        for name, record in _read()
        if kind in record["response"]
        and ok is (record["response"]["status"] == 200 and "error_in_200" not in record["features"])
        and provider in (None, record["provider"])
    ]


def record(name: str) -> Json:
    found: Json = json.loads((WIRE / name).read_text())
    return found


def _read() -> Iterator[tuple[str, Json]]:
    for path in sorted(WIRE.glob("*/chat-completions-*.json")):
        found = json.loads(path.read_text())
        if found["endpoint"] == "chat.completions":
            yield f"{path.parent.name}-{path.stem[-6:]}", found


def payloads(sse: str) -> list[bytes]:
    """The data of a recorded stream's events, which are one line each; without the sentinel."""
    lines = (line.removeprefix("data:").strip() for line in re.split(r"\r?\n", sse) if line.startswith("data:"))
    return [line.encode() for line in lines if line and line != "[DONE]"]


def decode(decoder: Decoder, wire: bytes, cuts: Iterable[int] = ()) -> list[Event]:
    """All events of a stream that comes cut at `cuts`."""
    edges = [0, *sorted(cuts), len(wire)]
    events = [event for start, end in pairwise(edges) for event in decoder.feed(wire[start:end])]
    return events if decoder.done else events + decoder.end()


@dataclass
class Choice:
    text: str = ""
    reasoning: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict)
    finish: list[str] = field(default_factory=list)

    def hear(self, part: Json, finish: Any) -> None:
        """A delta or a message, of any provider."""
        content = part.get("content")
        if isinstance(content, dict):  # Cloudflare
            content = json.dumps(content, separators=(",", ":"))
        pieces: list[Json] = content if isinstance(content, list) else [{"text": content if isinstance(content, str) else ""}]
        self.text += "".join(piece.get("text", "") for piece in pieces)
        thoughts = "".join(inner["text"] for piece in pieces for inner in piece.get("thinking", ()))
        details = "".join(detail.get("text") or detail.get("summary") or "" for detail in part.get("reasoning_details") or ())
        self.reasoning += thoughts or part.get("reasoning_content") or part.get("reasoning") or details
        for position, call in enumerate(part.get("tool_calls") or ()):
            said = self.calls.setdefault(call.get("index", position), ["", "", ""])
            tool = call.get("function") or call.get("custom") or {}
            for place, value in enumerate((call.get("id"), tool.get("name"), tool.get("arguments") or tool.get("input"))):
                said[place] += value or ""
        if finish:
            self.finish.append({"eos": "stop"}.get(finish, finish))


@dataclass
class Said:
    """What an answer says, read without the code under test."""

    choices: dict[int, Choice] = field(default_factory=dict)
    usage: Json | None = None

    def tokens(self, provider: str) -> tuple[int, int, int] | None:
        """Input, output and the cached part of the input, as they are to be billed."""
        if self.usage is None:
            return None
        given, made, total = (self.usage.get(name) or 0 for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
        cached = (self.usage.get("prompt_tokens_details") or {}).get("cached_tokens") or self.usage.get("prompt_cache_hit_tokens") or 0
        return given, total - given if provider == "xai" else made, min(cached, given)


def said(chunks: Sequence[Json], part: str = "delta") -> Said:
    """Of a stream's chunks in order, or of one whole answer with `part="message"`."""
    made = Said()
    for chunk in chunks:
        made.usage = chunk.get("usage") or made.usage
        for choice in chunk.get("choices") or ():
            made.choices.setdefault(choice["index"], Choice()).hear(choice[part], choice.get("finish_reason"))
    return made
