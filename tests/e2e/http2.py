"""A client that speaks HTTP/2 with prior knowledge, and sends any frames; every wait has a bound."""

import socket
from collections.abc import Iterable
from typing import Any, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import Frame

WINDOW = 65_535
CHAT = "/v1/chat/completions"


def wire(frames: Iterable[Frame]) -> bytes:
    return b"".join(frame.serialize() for frame in frames)


class Http2:
    """One connection. `code` is what the other side ended it with, or 0 where it just closed; None while it is open. `window`: how many
    bytes it may send to a stream; it is asked for more only where that is the usual number.
    """

    def __init__(self, port: int, *, seconds: float = 10, window: int = WINDOW) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.code: int | None = None
        self.events: list[Event] = []
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False))
        self._takes = window == WINDOW
        self.h2.local_settings[SettingCodes.INITIAL_WINDOW_SIZE] = window
        self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        self.send(self.h2.data_to_send())

    def send(self, data: bytes) -> None:
        """Also to one who has closed, which is found out by reading."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.code = self.code or 0

    def head(self, path: str = CHAT, method: str = "POST", **more: str) -> list[tuple[str, str]]:
        given = {"content-type": "application/json"} if method == "POST" else {}
        pseudo = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "localhost")]
        return pseudo + list({**given, **{name.replace("_", "-"): value for name, value in more.items()}}.items())

    def begin(self, *, ends: bool = False, headers: list[tuple[str, str]] | None = None) -> int:
        """A request's headers; returns the stream."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers or self.head(), end_stream=ends)
        self.flush()
        return stream

    def post(self, body: bytes) -> int:
        stream = self.begin()
        self.h2.send_data(stream, body, end_stream=True)
        self.flush()
        return stream

    def get(self, path: str) -> int:
        return self.begin(ends=True, headers=self.head(path, "GET"))

    def until(self, kind: type[Event], stream: int | None = None) -> Any:
        """The first event of its kind, on that stream; raises EOFError where the connection ends before."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None)):
                    return event
            self._read()

    def answer(self, stream: int) -> tuple[int, bytes]:
        """Status and body."""
        self.until(StreamEnded, stream)
        headers = dict(self.until(ResponseReceived, stream).headers)
        body = b"".join(event.data for event in self.events if isinstance(event, DataReceived) and event.stream_id == stream and event.data)
        return int(headers[":status"]), body

    def ended(self) -> int:
        """The code, once the other side has ended the connection."""
        try:
            while True:
                self._read()
        except EOFError:
            return self.code or 0

    def _read(self) -> None:
        try:
            data = self.socket.recv(65_536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.code = self.code or 0
            raise EOFError("the connection was closed")
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            events = []  # our own flood was nothing that this side knows about
        for event in events:
            if isinstance(event, ConnectionTerminated):
                self.code = int(event.error_code or 0)
            elif isinstance(event, DataReceived) and self._takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id or 0)
        self.events += events
        if self.code is None:
            self.flush()
