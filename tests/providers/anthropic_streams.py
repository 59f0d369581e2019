"""Anthropic's streams, made by hand, and what became of them as chat completion chunks."""

import json
from itertools import pairwise
from typing import Any

from ailb.dialect import Decoder, Event
from providers.anthropic import Anthropic
from tests.providers.anthropic_wire import Json, prompt

USAGE = {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2, "output_tokens": 1}
START = {"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "content": [], "usage": USAGE}}
STOP = {"type": "message_stop"}


def frames(*events: Json) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}   \n\n".encode() for event in events)


def block(index: int, content: Json, *deltas: Json) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def end(reason: str, output: int = 7) -> list[Json]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": output}}, STOP]


def stream(*blocks: list[Json], reason: str = "end_turn") -> bytes:
    return frames(START, *(event for events in blocks for event in events), *end(reason))


def decode(data: bytes, cuts: list[int] | None = None, **body: Any) -> tuple[list[Event], Decoder]:
    decoder = Anthropic().decoder(prompt(body, stream=True))
    edges = [0, *sorted(cuts or []), len(data)]
    events = [event for start, stop in pairwise(edges) for event in decoder.feed(data[start:stop])]
    return events + decoder.end(), decoder


def deltas(events: list[Event]) -> list[Json]:
    return [choice["delta"] for event in events for choice in event.data["choices"]]


def finishes(events: list[Event]) -> list[str]:
    return [choice["finish_reason"] for event in events for choice in event.data["choices"] if choice["finish_reason"]]


def calls_in(events: list[Event]) -> list[tuple[str, str, str]]:
    calls: list[list[str]] = []
    for delta in deltas(events):
        for call in delta.get("tool_calls", ()):
            if "id" in call:
                assert len(calls) == call["index"]
                calls.append([call["id"], call["function"]["name"], ""])
            calls[call["index"]][2] += call["function"]["arguments"]
    return [(id, name, arguments) for id, name, arguments in calls]
