"""The key is asked for with every limit, and a gateway that makes none is not measured."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from benchmarks.children import BenchmarkError
from benchmarks.keys import LIMITS, virtual_key


@contextmanager
def gateway(status: int, answer: dict[str, Any], asked: list[Any]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the terminal."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        yield server.server_port
        thread.join(5)


def test_a_key_with_limits_is_made() -> None:
    asked: list[Any] = []
    with gateway(201, {"key": "sk-ailb_x"}, asked) as port:
        assert virtual_key(port) == "sk-ailb_x"
    assert asked == [("/api/keys", {"name": "bench", **LIMITS})]


def test_a_refusal_is_told() -> None:
    with gateway(503, {"detail": "no store"}, []) as port, pytest.raises(BenchmarkError, match="no store"):
        virtual_key(port)
