"""A collector that speaks OTLP over HTTP gets the spans of a real gateway."""

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.gateway import PATIENT, config, free_port, provider
from tests.e2e.paying import started
from tests.e2e.scripts import fails, hello
from tests.e2e.upstream import Upstream

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTEL = '[[layer]]\nuse = "otel"\nendpoint = "http://127.0.0.1:{port}/v1/traces"\nheaders = {{ authorization = "Basic sk-canary-otel" }}\n'


class Collector(ThreadingHTTPServer):
    """Keeps what it got: the path, the header, the body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.got: Queue[tuple[str, str | None, bytes]] = Queue()


class Taker(BaseHTTPRequestHandler):
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.put((self.path, self.headers["authorization"], body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Not on the test's output."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def file(engine: str, upstream: Upstream, collector: Collector, tmp_path: Path) -> Path:
    """A config with the layer right behind `access`."""
    url = f"http://127.0.0.1:{upstream.port}"
    providers = "".join(provider(name, f"{url}/{name}/v1", ["m-*"], PATIENT) for name in ("a", "b"))
    routing = '[[layer]]\nuse = "routing"'
    text = config(engine, free_port(), providers).replace(routing, OTEL.format(port=collector.server_port) + routing)
    file = tmp_path / "config.toml"
    file.write_text(text)
    return file


def test_the_spans_of_a_request_arrive_when_the_gateway_ends(file: Path, upstream: Upstream, collector: Collector) -> None:
    model = upstream.on(fails(500), b=hello)
    with started(file) as gateway:
        assert 200 == gateway.chat(model, stream=True, headers={"traceparent": PARENT}).status
    path, authorization, body = collector.got.get(timeout=10)
    assert ("/v1/traces", "Basic sk-canary-otel") == (path, authorization)
    spans = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    failed, answered, whole = sorted(spans, key=lambda span: span.end_time_unix_nano)
    assert (PARENT.split("-")[1], PARENT.split("-")[2]) == (whole.trace_id.hex(), whole.parent_span_id.hex())
    assert [whole.span_id] * 2 == [failed.parent_span_id, answered.parent_span_id]
    sent = [call.header("traceparent") for call in upstream.calls(model)]
    assert [f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" for span in (failed, answered)] == sent
    told = {attribute.key: attribute.value.int_value for attribute in answered.attributes}
    assert 2 == told["gen_ai.usage.output_tokens"]
    assert b"hello" not in body.lower()


def test_a_collector_that_is_gone_bothers_nobody(file: Path, upstream: Upstream) -> None:
    file.write_text(re.sub(r"127.0.0.1:\d+/v1/traces", f"127.0.0.1:{free_port()}/v1/traces", file.read_text()))
    with started(file) as gateway:
        assert {200} == {gateway.chat(upstream.on(hello)).status for _ in range(3)}
