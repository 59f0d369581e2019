"""Bytes: what a chat upstream says, and how HTTP/1.1 writes it down."""

import json
from collections.abc import Mapping
from typing import Any

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode("latin-1")


def chunked(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def data(value: Any) -> bytes:
    """One server-sent event; its text is not escaped, so that multi-byte characters travel as such."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def delta(text: str, finish: str | None = None) -> dict[str, Any]:
    """One `chat.completion.chunk`."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "up", "choices": [choice]}


def token(text: str) -> bytes:
    return data(delta(text))


STOP = data(delta("", "stop"))
TOTAL = data({**delta(""), "choices": [], "usage": USAGE})


def completion(text: str) -> dict[str, Any]:
    """A whole `chat.completion`."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "up", "choices": [choice], "usage": USAGE}


def asked(model: str, stream: bool = False, **more: Any) -> bytes:
    """A chat request's body."""
    return json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}], **more}).encode()


def frames(body: bytes) -> list[bytes]:
    """The `data` of each event of a stream, by the standard's rules but for CR, which no gateway has a reason to send."""
    found = []
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            found.append(b"\n".join(lines))
    return found


def said(body: bytes) -> str:
    """The text of a stream of chat chunks."""
    text = ""
    for frame in frames(body):
        if frame != b"[DONE]":
            for choice in json.loads(frame).get("choices", []):
                text += choice["delta"].get("content") or ""
    return text


def error_of(body: bytes) -> dict[str, Any] | None:
    """The error that a stream ended with; None where it ended without, or went on behind it."""
    events = frames(body)
    last = {} if not events or events[-1] == b"[DONE]" else json.loads(events[-1])
    error: dict[str, Any] | None = last.get("error")
    return error
