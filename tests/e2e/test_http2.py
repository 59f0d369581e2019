"""HTTP/2 in bad hands: floods of frames that cost their sender nothing. Only Hypercorn speaks it."""

from collections.abc import Callable, Iterator
from time import monotonic, sleep

import pytest
from h2.errors import ErrorCodes
from h2.events import DataReceived, StreamReset
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.e2e.conftest import Launch
from tests.e2e.gateway import Gateway
from tests.e2e.http2 import WINDOW, Http2, wire
from tests.e2e.scripts import hello, says
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked, completion, said

RESETS = 5000
WIDE = 2**31 - 1
MOST_MEMORY = 30_000_000


@pytest.fixture(scope="module")
def two(launch: Launch, engine: str) -> Iterator[Gateway]:
    if engine != "hypercorn":
        pytest.skip("uvicorn has no HTTP/2")
    with launch(http2=True) as gateway:
        yield gateway


def until_nobody_is_in(gateway: Gateway) -> None:
    deadline = monotonic() + 10
    while b"ailb_open_exchanges 0.0" not in gateway.get("/metrics").body:
        assert monotonic() < deadline
        sleep(0.05)  # A gauge offers no event.


def well(gateway: Gateway, upstream: Upstream) -> None:
    """The gateway serves others, complains of nothing, and nobody of those who left is still in it."""
    model = upstream.on(hello)
    with Http2(gateway.port) as other:
        status, body = other.answer(other.post(asked(model)))
    assert (200, b"hello") == (status, body[body.index(b"hello") :][:5])
    until_nobody_is_in(gateway)
    gateway.check()
    assert [entry for entry in gateway.log() if entry["level"] == "error"] == []


def test_it_is_spoken(two: Gateway, upstream: Upstream) -> None:
    model = upstream.on(says("one", "two"))
    with Http2(two.port) as client:
        streams = [client.post(asked(model, stream=kind)) for kind in (True, False, True)]
        answers = [client.answer(stream) for stream in streams]
    assert ([200] * 3, "onetwo") == ([status for status, _ in answers], said(answers[0][1]))
    assert str(completion("onetwo")["choices"][0]["message"]["content"]).encode() in answers[1][1]


def resets(client: Http2, body: bytes) -> bytes:
    """So many requests, each taken back at once; without a body they are not even whole."""
    flood: list[Frame] = []
    for stream in range(1, 2 * RESETS, 2):
        flood.append(HeadersFrame(stream, client.h2.encoder.encode(client.head()), flags=["END_HEADERS"]))
        if body:
            flood.append(DataFrame(stream, body, flags=["END_STREAM"]))
        flood.append(RstStreamFrame(stream, int(ErrorCodes.CANCEL)))
    return wire(flood)


@pytest.mark.parametrize("whole", [False, True], ids=["headers", "whole requests"])
def test_a_rapid_reset_ends_its_connection_early(two: Gateway, upstream: Upstream, whole: bool) -> None:
    model, memory = upstream.on(hello), two.rss
    with Http2(two.port) as bystander, Http2(two.port) as client:
        client.send(resets(client, asked(model) if whole else b""))
        assert client.ended() == ErrorCodes.ENHANCE_YOUR_CALM
        assert bystander.answer(bystander.get("/healthz"))[0] == 200
    assert len(upstream.calls(model)) <= 100
    assert two.rss - memory < MOST_MEMORY
    well(two, upstream)


def test_a_rapid_reset_does_no_harm_where_http2_is_off(gateway: Gateway, upstream: Upstream, engine: str) -> None:
    """Hypercorn speaks it all the same, to refuse each request."""
    model, memory = upstream.on(hello), gateway.rss
    with Http2(gateway.port) as client:
        client.send(resets(client, asked(model)))
        assert client.ended() == (ErrorCodes.ENHANCE_YOUR_CALM if engine == "hypercorn" else 0)
    assert gateway.rss - memory < MOST_MEMORY
    assert (200, 1) == (gateway.chat(model).status, len(upstream.calls(model)))
    assert [entry for entry in gateway.log() if entry["level"] == "error"] == []


FLOODS: dict[str, Callable[[int], list[Frame]]] = {
    "pings": lambda stream: [PingFrame(0, b"12345678")] * 50_000,
    "settings": lambda stream: [SettingsFrame(0)] * 50_000,
    "settings that change": lambda stream: [SettingsFrame(0, {4: 1000 + number % 2}) for number in range(50_000)],
    "windows": lambda stream: [WindowUpdateFrame(0, 1)] * 50_000,
    "empty data": lambda stream: [DataFrame(stream, b"")] * 50_000,
    "priorities": lambda stream: [PriorityFrame(number, depends_on=0, stream_weight=1) for number in range(1001, 21_001, 2)],
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_frames_ends_its_connection(two: Gateway, upstream: Upstream, flood: str) -> None:
    memory = two.rss
    with Http2(two.port) as client:
        client.send(wire(FLOODS[flood](client.begin())))
        assert client.ended() == ErrorCodes.ENHANCE_YOUR_CALM
    assert two.rss - memory < MOST_MEMORY
    well(two, upstream)


def test_priorities_are_of_no_account(two: Gateway, upstream: Upstream) -> None:
    """So many of them broke the tree in which Hypercorn keeps them."""
    with Http2(two.port) as client:
        client.send(wire(PriorityFrame(1 + 2 * number, depends_on=0, stream_weight=1) for number in range(900)))
        assert client.answer(client.get("/healthz"))[0] == 200
    well(two, upstream)


@pytest.mark.parametrize("late", [RstStreamFrame, WindowUpdateFrame, DataFrame])
def test_frames_for_what_is_over_harm_nobody(two: Gateway, upstream: Upstream, late: type[Frame]) -> None:
    """They are not even counted, but others have their turns between them."""
    content: dict[type[Frame], object] = {RstStreamFrame: 8, WindowUpdateFrame: 1, DataFrame: b"x"}
    memory = two.rss
    with Http2(two.port) as client, Http2(two.port) as other:
        stream = client.get("/healthz")
        assert client.answer(stream)[0] == 200
        frames = wire([late(stream, content[late])] * 1000)  # type: ignore[arg-type]
        for _ in range(20):
            client.send(frames)
            assert other.answer(other.get("/healthz"))[0] == 200
    assert two.rss - memory < MOST_MEMORY
    well(two, upstream)


def test_headers_without_end_are_cut(two: Gateway, upstream: Upstream) -> None:
    memory = two.rss
    with Http2(two.port) as client:
        client.send(wire([HeadersFrame(1, b"\x82"), *[ContinuationFrame(1, b"\x82" * 1000)] * 5000]))
        client.ended()
    assert two.rss - memory < MOST_MEMORY
    well(two, upstream)


def test_more_streams_than_allowed_end_the_connection(two: Gateway, upstream: Upstream) -> None:
    memory = two.rss
    with Http2(two.port) as client:
        for _ in range(99):
            client.begin()
        assert client.answer(client.get("/healthz"))[0] == 200
        encode = client.h2.encoder.encode
        client.send(wire(HeadersFrame(stream, encode(client.head()), flags=["END_HEADERS"]) for stream in range(1001, 3001, 2)))
        client.ended()
    assert two.rss - memory < MOST_MEMORY
    well(two, upstream)


def told(gateway: Gateway, model: str, number: int) -> list[str]:
    """How so many requests for a model ended."""
    deadline = monotonic() + 15
    while len(found := [entry["outcome"] for entry in gateway.log() if entry.get("asked") == model]) < number and monotonic() < deadline:
        sleep(0.05)  # Lines come from a thread that has no event to offer for a count.
    return found


def test_a_window_of_one_byte_holds_no_answer_for_ever(two: Gateway, upstream: Upstream) -> None:
    """`write_seconds` is 2."""
    long, short, memory = upstream.on(says("x" * 300_000)), upstream.on(hello), two.rss
    with Http2(two.port, window=1) as client, Http2(two.port) as other:
        streams = [client.post(asked(long if number < 10 else short, stream=number % 2 == 0)) for number in range(20)]
        streams += [client.get("/healthz"), client.get("/v1/nothing")]
        assert [1] * 22 == [len(client.until(DataReceived, stream).data) for stream in streams]
        assert other.answer(other.get("/healthz"))[0] == 200
        codes = {client.until(StreamReset, stream).error_code for stream in streams}
        assert codes <= {ErrorCodes.CANCEL, ErrorCodes.INTERNAL_ERROR}
        assert ["disconnected"] * 10 == told(two, long, 10)
        assert client.code is None
    assert two.rss - memory < MOST_MEMORY
    well(two, upstream)


def test_a_client_that_does_not_read_holds_no_answer_for_ever(two: Gateway, upstream: Upstream) -> None:
    """Its windows are wide open, and its socket is full."""
    long, short, memory = upstream.on(says("x" * 1_500_000)), upstream.on(hello), two.rss
    with Http2(two.port, window=WIDE) as client:
        client.h2.increment_flow_control_window(WIDE - WINDOW)
        for number in range(25):
            stream = client.h2.get_next_available_stream_id()
            client.h2.send_headers(stream, client.head())
            client.h2.send_data(stream, asked(long if number % 5 == 0 else short, stream=number % 2 == 0), end_stream=True)
        client.flush()
        assert (5, 20) == (len(told(two, long, 5)), len(told(two, short, 20)))
        until_nobody_is_in(two)
    assert two.rss - memory < MOST_MEMORY
    well(two, upstream)
