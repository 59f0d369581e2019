"""A client on a bare socket: sends any bytes, reads one answer at a time, and every wait has a bound."""

import json
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = frozenset(name.lower() for name, _ in self.headers)

    def header(self, name: str) -> str | None:
        """The one value; a header that came twice is a failure."""
        values = [value for key, value in self.headers if key.lower() == name]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json["error"]
        return error


def request(method: str, path: str, body: bytes | None = None, headers: Mapping[str, str | None] | None = None) -> bytes:
    """A request's bytes. A header with None is left out; names are matched without regard to case and sent as given."""
    given: dict[str, str | None] = {"host": "localhost"}
    if body is not None:
        given |= {"content-type": "application/json", "content-length": str(len(body))}
    for name, value in (headers or {}).items():
        given = {key: old for key, old in given.items() if key.lower() != name.lower()}
        given[name] = value
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value is not None)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (body or b"")


class Client:
    """One TCP connection."""

    def __init__(self, port: int, *, seconds: float = 30, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(seconds)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")
        self._chunked = False
        self.read = b""
        """The body as far as it was read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, *pieces: bytes) -> Self:
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def post(self, body: bytes, path: str = "/v1/chat/completions", headers: Mapping[str, str | None] | None = None) -> Self:
        return self.send(request("POST", path, body, headers))

    def get(self, path: str, headers: Mapping[str, str | None] | None = None) -> Self:
        return self.send(request("GET", path, None, headers))

    def head(self) -> Answer:
        """The status and the headers; the body waits."""
        line = self._file.readline().decode("latin-1")
        if not line:
            raise EOFError("closed without an answer")
        headers = []
        while text := self._file.readline().decode("latin-1").strip():
            name, _, value = text.partition(":")
            headers.append((name, value.strip()))
        answer = Answer(int(line.split(" ")[1]), headers)
        self._chunked = (answer.header("transfer-encoding") or "").lower() == "chunked"
        self.read = b""
        return answer

    def answer(self, method: str = "POST") -> Answer:
        """The whole answer, behind any 1xx."""
        answer = self.head()
        while answer.status < 200:
            answer = self.head()
        length = answer.header("content-length")
        if method == "HEAD" or answer.status in (204, 304):
            pass
        elif self._chunked:
            answer.body = b"".join(self.chunks())
        elif length is not None:
            answer.body = self._file.read(int(length))
            assert len(answer.body) == int(length), "the body was cut"
        else:
            answer.body = self._file.read()
        return answer

    def chunks(self) -> Iterator[bytes]:
        """The rest of a chunked body."""
        while chunk := self._chunk():
            self.read += chunk
            yield chunk

    def until(self, marker: bytes) -> bytes:
        """The body up to the chunk with `marker` in it."""
        while marker not in self.read:
            chunk = self._chunk()
            assert chunk, f"the body ended before {marker!r}: {self.read!r}"
            self.read += chunk
        return self.read

    def ended(self) -> bool:
        """Whether the other side closes, within the bound, without a further byte."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def until_any(self, *markers: bytes) -> bytes:
        """All bytes until one of `markers` is among them, or the other side closes."""
        received = b""
        while not any(marker in received for marker in markers) and (piece := self._file.read1(65536)):
            received += piece
        return received

    def everything(self) -> bytes:
        """All bytes until the other side closes."""
        received = b""
        with suppress(ConnectionResetError):
            while piece := self._file.read1(65536):
                received += piece
        return received

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def _chunk(self) -> bytes:
        line = self._file.readline()
        assert line.strip(), "the body was cut between two chunks"
        size = int(line.split(b";")[0], 16)
        data = self._file.read(size)
        assert len(data) == size, "the body was cut inside a chunk"
        self._file.readline()
        return data
