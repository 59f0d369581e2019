"""A Speech behind a real socket, answering with events that a test laid out: what the official SDKs are pointed at."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from ailb.dialect import Event, Speech
from ailb.errors import Refusal
from ailb.prompt import Prompt

Json = dict[str, Any]


class Front:
    """`events` is the answer; `refusal` is raised before the first of them, or after the last where `broken` is set."""

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self.events: Sequence[Event] = ()
        self.refusal: Refusal | None = None
        self.broken = False
        self.url = ""
        self.prompts: list[Prompt] = []

    def answer(self, path: str, headers: Json, body: bytes) -> tuple[int, str, bytes]:
        assert path in self.speech.paths
        try:
            prompt = self.speech.prompt(json.loads(body), headers)
        except Refusal as refusal:
            return refusal.status, "application/json", self.speech.error(refusal)
        self.prompts.append(prompt)
        if self.refusal is not None and not self.broken:
            return self.refusal.status, "application/json", self.speech.error(self.refusal)
        if not prompt.stream:
            return 200, "application/json", self.speech.whole(prompt, self.events[0])
        encoder = self.speech.encoder(prompt)
        said = b"".join(encoder.feed(event) for event in self.events)
        end = encoder.error(self.refusal) if self.refusal is not None else encoder.end()
        return 200, self.speech.stream_type, self.speech.heartbeat + said + end


@contextmanager
def serving(speech: Speech) -> Iterator[Front]:
    front = Front(speech)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, kind, data = front.answer(self.path.partition("?")[0], headers, body)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    front.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield front
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
