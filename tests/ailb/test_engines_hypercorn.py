import asyncio
import gc
from collections.abc import Iterator
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from typing import Any

import h11
import pytest
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Event, RawData
from hypercorn.protocol.events import Body, EndBody, Response
from hypercorn.typing import ConnectionState
from structlog.testing import capture_logs

from ailb.config import Server
from ailb.engines import bound, engine
from ailb.engines_hypercorn import Joined, Tidy
from tests.ailb.serving import SOON
from tests.ailb.test_engines import asked, hello, port

__all__ = ["port"]  # fixtures are found by their names here


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


def connections(port: int) -> int:
    """Of the server, with their transports."""
    count = 0
    for found in gc.get_objects():
        if isinstance(found, asyncio.Transport):
            count += (found.get_extra_info("sockname") or (None, None))[1] == port
        else:
            count += isinstance(found, Tidy)
    return count


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_is_over_is_gone_without_the_collector(port: int, reset: bool) -> None:
    options = Server(port=port, engine="hypercorn")
    serving, _ = engine(hello, options, bound(options))
    stop = asyncio.Event()
    server = asyncio.ensure_future(serving(stop))
    gc.collect()
    gc.disable()
    try:
        _, waiting = await asyncio.open_connection("127.0.0.1", port)
        answer = await asyncio.wait_for(asked(port), SOON)
        assert answer.endswith(b"hello")
        async with asyncio.timeout(SOON):
            while connections(port) != 2:  # the one that says nothing
                await asyncio.sleep(0.001)
            if reset:
                waiting.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
            waiting.close()
            while connections(port):
                await asyncio.sleep(0.001)
    finally:
        gc.enable()
    stop.set()
    await asyncio.wait_for(server, SOON)


async def test_what_is_written_to_a_client_that_is_gone_is_not_worth_a_line(port: int, caplog: pytest.LogCaptureFixture) -> None:
    gone, over = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await gone.wait()
        for _ in range(100):
            await send({"type": "http.response.body", "body": b"more", "more_body": True})
        over.set()

    options = Server(port=port, engine="hypercorn")
    serving, _ = engine(app, options, bound(options))
    stop = asyncio.Event()
    server = asyncio.ensure_future(serving(stop))
    async with asyncio.timeout(SOON):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await reader.readuntil(b"first")
        writer.transport.abort()
        gone.set()
        await over.wait()
        stop.set()
        await server
    assert [] == [record.message for record in caplog.records if record.name == "asyncio"]


class Wire:
    """What is written, piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def __call__(self, event: Event) -> None:
        assert isinstance(event, RawData)
        self.pieces.append(event.data)


async def answered(method: bytes, *events: Any) -> list[bytes]:
    wire, config = Wire(), Config()
    unused: Any = None
    protocol = Joined(unused, config, WorkerContext(None), unused, ConnectionState({}), False, None, None, wire)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(method + b" / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert [h11.Request, h11.EndOfMessage] == [type(connection.next_event()) for _ in range(2)]
    protocol.connection = connection
    for event in events:
        await protocol.stream_send(event)
    return wire.pieces


def begun(*headers: tuple[bytes, bytes], status: int = 200) -> Response:
    return Response(stream_id=1, headers=list(headers), status_code=status)


ENDED = EndBody(stream_id=1)
LENGTH = (b"content-length", b"2")


async def test_the_head_of_an_answer_goes_out_with_its_body() -> None:
    (piece,) = await answered(b"GET", begun(LENGTH), Body(stream_id=1, data=b"hi"), ENDED)
    assert (True, True) == (piece.startswith(b"HTTP/1.1 200"), piece.endswith(b"\r\n\r\nhi"))


async def test_each_piece_of_a_stream_goes_out_at_once() -> None:
    first, *others = await answered(b"GET", begun(), *(Body(stream_id=1, data=data) for data in (b"a", b"bc")), ENDED)
    assert first.endswith(b"\r\n\r\n1\r\na\r\n")
    assert [b"2\r\nbc\r\n", b"0\r\n\r\n"] == others


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304)])
async def test_a_head_without_a_body_goes_out_at_the_end(method: bytes, status: int) -> None:
    (piece,) = await answered(method, begun(status=status), ENDED)
    assert piece.endswith(b"\r\n\r\n")
