"""Server-sent events, without I/O: bytes in, frames out, however the bytes were cut.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
One deviation: an event that the end of the stream left without its blank line is still delivered, because several
providers end that way.
"""

from typing import NamedTuple

LIMIT = 8 * 1024 * 1024
"""Bytes that one event may have. No provider comes near; without a bound one upstream could fill the memory."""

_BOM = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One event: its `data` lines joined, and its `event:` name (empty where there was none)."""

    data: bytes
    name: bytes = b""


class EventTooLarge(ValueError):
    """One event grew past the limit."""


class Parser:
    """Feed it bytes, get frames. Comments, `id:` and `retry:` are dropped; CR, LF and CRLF may be mixed."""

    __slots__ = ("_limit", "_rest", "_searched", "_skip_lf", "_started")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._searched = 0
        self._skip_lf = False
        self._started = False

    def feed(self, chunk: bytes) -> list[Frame]:
        """Raises EventTooLarge."""
        if not self._started or self._skip_lf or b"\r" in chunk:
            chunk = self._normalise(chunk)
        if not self._rest and chunk.endswith(b"\n\n"):
            if chunk.startswith(b"data: ") and chunk.find(b"\n") == len(chunk) - 2:
                return [Frame(chunk[6:-2])]  # by far the most common
            return _frames(chunk)
        rest = self._rest
        rest += chunk
        end = rest.rfind(b"\n\n", max(0, self._searched - 1))
        if end < 0:
            self._searched = len(rest)
            if len(rest) > self._limit:
                raise EventTooLarge(f"an event is larger than {self._limit} bytes")
            return []
        block = bytes(rest[: end + 2])
        del rest[: end + 2]
        self._searched = len(rest)
        return _frames(block)

    @property
    def rest(self) -> bytes:
        """What has come since the last whole event."""
        return bytes(self._rest)

    def end(self) -> list[Frame]:
        """The stream is over: what is left is the last event."""
        block = bytes(self._rest)
        self._rest.clear()
        return _frames(block)

    def _normalise(self, chunk: bytes) -> bytes:
        """Every line ending becomes LF; a BOM at the very start goes. It may arrive in pieces, so it is waited for."""
        if not self._started:
            chunk = bytes(self._rest) + chunk
            self._rest.clear()
            if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
                self._rest += chunk
                return b""
            self._started = True
            chunk = chunk.removeprefix(_BOM)
        if self._skip_lf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_lf = False
        if b"\r" in chunk:
            self._skip_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk


def _frames(block: bytes) -> list[Frame]:
    frames = []
    for text in block.split(b"\n\n"):
        if text.startswith(b"data: ") and b"\n" not in text:
            frames.append(Frame(text[6:]))
        elif text and (frame := _frame(text)) is not None:
            frames.append(frame)
    return frames


def _frame(text: bytes) -> Frame | None:
    data: list[bytes] = []
    name = b""
    for line in text.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Frame(b"\n".join(data), name) if data else None


def encode(data: bytes, name: bytes = b"") -> bytes:
    """The frame on the wire. `data` must be one line, as JSON without indentation is."""
    return b"event: %b\ndata: %b\n\n" % (name, data) if name else b"data: %b\n\n" % data


def comment(text: str) -> bytes:
    """A line that clients skip; it keeps proxies and pooled connections awake."""
    return f": {text}\n\n".encode()


DONE = b"data: [DONE]\n\n"
"""OpenAI's end of a stream. Only a stream that was whole may end with it."""
