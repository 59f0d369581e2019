"""Chat completions made by hand or recorded, and an independent reading of Anthropic's events."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ailb.chat import Chunks, completion
from ailb.dialect import Event
from ailb.usage import Usage

Json = dict[str, Any]

SHARED = Path(os.environ.get("AILB_SHARED") or Path(__file__).resolve().parents[3] / "../shared")
WIRE = SHARED / "wire"
NEEDS_WIRE = pytest.mark.skipif(not (WIRE / "openai").is_dir(), reason="the recorded provider traffic is not here")

USED = Usage(input=100, output=7, cached=60, cache_written=30)
COUNTED = {"input_tokens": 10, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60, "output_tokens": 7}

BODY: Json = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}


def whole(message: Json, finish: str = "stop", **extra: Any) -> Event:
    return completion("chatcmpl-1", "gpt-x", 0, message, finish=finish, usage=USED, **extra)


def call(id: str, name: str, arguments: Any = "{}") -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def chunks(*deltas: Json, finish: str | None = "stop", used: Usage | None = USED, id: str = "chatcmpl-1") -> list[Event]:
    """A stream as OpenAI sends it: the role, the deltas, the finish, the usage."""
    made = Chunks(id, "gpt-x", 0, wants_usage=True)
    events = [made.delta({"role": "assistant", "content": ""}), *(made.delta(delta) for delta in deltas)]
    if finish is not None:
        events.append(made.delta({}, finish))
    return [*events, made.usage(used)] if used is not None else events


def fragment(index: int | None, arguments: Any = "", *, id: str | None = None, name: str | None = None) -> Json:
    """A delta of one tool call."""
    entry: Json = {"function": {"arguments": arguments, **({"name": name} if name is not None else {})}}
    entry |= {} if index is None else {"index": index}
    entry |= {} if id is None else {"id": id, "type": "function"}
    return {"tool_calls": [entry]}


def recorded(kind: str) -> list[Any]:
    """Parameters for pytest: every recorded chat completion that went well, of any provider, that came as `kind` (`sse` or `body`)."""
    return [pytest.param(record, id=f"{path.parent.name}-{path.stem[-6:]}") for path, record in _records(kind)]


def _records(kind: str) -> Iterator[tuple[Path, Json]]:
    for path in sorted(WIRE.glob("*/*.json")):
        if "chat-completions" in path.name and not path.parent.name.startswith("_"):
            record = json.loads(path.read_text())
            response = record["response"]
            if response["status"] == 200 and kind in response and record["endpoint"] == "chat.completions":
                yield path, record


def parsed(stream: bytes) -> list[Json]:
    """Anthropic's events, each with the name of its frame checked."""
    events = []
    for frame in stream.decode().split("\n\n"):
        if frame:
            name, data = frame.split("\n")
            event: Json = json.loads(data.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            events.append(event)
    return events


DELTAS = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "redacted_thinking": set[str](),
    "tool_use": {"input_json_delta"},
}


def check_legal(events: list[Json]) -> list[Json]:
    """Asserts that the events are a whole stream as Anthropic defines it, and gives back its blocks, put together."""
    assert events[0]["type"] == "message_start"
    assert events[0]["message"]["content"] == []
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    assert events[-2]["usage"].keys() >= COUNTED.keys()
    blocks: list[Json] = []
    open_ = False
    for event in events[1:-2]:
        kind = event["type"]
        if kind == "content_block_start":
            assert (open_, event["index"]) == (False, len(blocks))
            blocks.append({**event["content_block"], "json": ""})
        else:
            assert (open_, event["index"]) == (True, len(blocks) - 1)
        open_ = kind != "content_block_stop"
        if kind == "content_block_delta":
            delta = event["delta"]
            assert delta["type"] in DELTAS[blocks[-1]["type"]]
            for grown, into in (("text", "text"), ("thinking", "thinking"), ("signature", "signature"), ("partial_json", "json")):
                blocks[-1][into] = blocks[-1].get(into, "") + delta[grown] if grown in delta else blocks[-1].get(into, "")
    assert not open_
    return blocks
