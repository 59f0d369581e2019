"""Anthropic's recorded exchanges, prompts to decode them for, and an independent reading of what they say."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ailb.prompt import Prompt

SHARED = Path(os.environ.get("AILB_SHARED") or Path(__file__).resolve().parents[2] / "../shared")
WIRE = SHARED / "wire"
NEEDS_WIRE = pytest.mark.skipif(not (WIRE / "anthropic").is_dir(), reason="the recorded provider traffic is not here")
RECEIVED = 1_700_000_000

Json = dict[str, Any]


class Native(Prompt):
    """A client that speaks Anthropic's own dialect."""

    dialect = "messages"

    def check(self) -> None:
        """Its shape is its own client's business."""

    def chat(self) -> Json:
        return {"messages": []}


def prompt(body: Json | None = None, *, native: bool = False, **more: Any) -> Prompt:
    made = (Native if native else Prompt)({"model": "m", "messages": [{"role": "user", "content": "hi"}], **(body or {}), **more}, {})
    made.received = RECEIVED
    return made


def recordings(kind: str, folder: str = "anthropic", *, status: int | None = None) -> list[Any]:
    """Parameters for pytest: each recording of the Messages endpoint whose response has `kind` (`sse` or `body`), and `status`."""
    read = [(name, record) for name, record in _read(folder) if kind in record["response"]]
    return [pytest.param(record, id=name) for name, record in read if status in (None, record["response"]["status"])]


def _read(folder: str) -> Iterator[tuple[str, Json]]:
    for path in sorted((WIRE / folder).glob("*.json")):
        record = json.loads(path.read_text())
        if record["endpoint"] == "messages":
            yield path.stem, record


@dataclass
class Said:
    """What an answer says, read without the code under test."""

    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    reason: str | None = None
    usage: Json = field(default_factory=dict)

    @property
    def finish(self) -> str:
        words = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls", "max_tokens": "length"}
        return words[str(self.reason)]

    @property
    def tokens(self) -> tuple[int, int, int]:
        told = [self.usage.get(name) or 0 for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")]
        return sum(told), self.usage.get("output_tokens") or 0, told[1]


def said_whole(body: Json) -> Said:
    said = Said(reason=body["stop_reason"], usage=body["usage"])
    for block in body["content"]:
        if block["type"] == "text":
            said.text += block["text"]
        if block["type"] == "thinking":
            said.reasoning += block["thinking"]
        if block["type"] == "tool_use":
            said.calls.append((block["id"], block["name"], block["input"]))
    return said


def said_stream(sse: str) -> Said:
    """By regrouping the lines of the transcript into a whole message."""
    blocks: dict[int, Json] = {}
    said = Said()
    for line in sse.splitlines():
        if not line.startswith("data:"):
            continue
        event = json.loads(line.removeprefix("data:"))
        if event["type"] == "message_start":
            said.usage.update(event["message"]["usage"])
        if event["type"] == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "json": ""}
        if event["type"] == "content_block_delta":
            delta, block = event["delta"], blocks[event["index"]]
            block["text"] = block.get("text", "") + delta.get("text", "")
            block["thinking"] = block.get("thinking", "") + delta.get("thinking", "")
            block["json"] += delta.get("partial_json", "")
        if event["type"] == "message_delta":
            said.reason = event["delta"]["stop_reason"]
            said.usage.update({name: value for name, value in event["usage"].items() if value is not None})
    for block in blocks.values():
        said.text += block["text"] if block["type"] == "text" else ""
        said.reasoning += block["thinking"] if block["type"] == "thinking" else ""
        if block["type"] == "tool_use":
            said.calls.append((block["id"], block["name"], block["json"]))
    return said
