import asyncio
import logging
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from ailb.engines_uvicorn import Cycle, Impatient

SECONDS = 7.0


class Wire(asyncio.Transport):
    """A connection that notes what is written, and when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.written = b""
        self.writes = 0

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: Any) -> None:
        self.written += data
        self.writes += 1


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def connected() -> tuple[Impatient, Wire]:
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    protocol, wire = Impatient(SECONDS, config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def test_who_says_nothing_is_cut_off_in_time() -> None:
    protocol, wire = await connected()
    assert protocol._patience is not None
    assert 0 < protocol._patience.when() - asyncio.get_running_loop().time() <= SECONDS
    protocol._patience._run()
    assert wire.closed
    protocol.connection_lost(None)


async def test_whose_headers_are_there_is_not() -> None:
    protocol, wire = await connected()
    protocol.data_received(b"GET / HTTP/1.1\r\nhost: ")
    assert protocol._patience is not None
    waiting = protocol._patience
    protocol.data_received(b"localhost\r\n\r\n")
    assert (True, False) == (waiting.cancelled(), wire.closed)
    await asyncio.sleep(0)
    protocol.connection_lost(None)


async def test_who_left_is_not_waited_for() -> None:
    protocol, _ = await connected()
    waiting = protocol._patience
    protocol.connection_lost(None)
    assert waiting is not None
    assert waiting.cancelled()


def cycle(made: type[RequestResponseCycle], wire: Wire, method: str, *, keep_alive: bool) -> RequestResponseCycle:
    scope: Any = {"method": method}
    log = logging.getLogger("test")
    date = [(b"date", b"today")]
    return made(scope, wire, FlowControl(wire), log, log, False, date, asyncio.Event(), False, keep_alive, lambda: None)


async def sent(made: type[RequestResponseCycle], status: int, headers: Any, method: str, *, keep_alive: bool) -> object:
    """What is on the wire, whether it is closed, and what went wrong."""
    wire = Wire()
    answering = cycle(made, wire, method, keep_alive=keep_alive)
    try:
        await answering.send({"type": "http.response.start", "status": status, "headers": headers})
        if method != "HEAD" and status not in (204, 304):
            await answering.send({"type": "http.response.body", "body": b"a", "more_body": True})
            await answering.send({"type": "http.response.body", "body": b"b"})
    except (RuntimeError, ValueError) as problem:
        return wire.written, wire.closed, type(problem)
    return wire.written, wire.closed, None


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("method", ["POST", "HEAD"])
@pytest.mark.parametrize("status", [200, 204, 304, 404, 599])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"text/plain"), (b"content-length", b"2")],
        [[b"content-length", b"2"]],
        [(b"Content-Length", b"2")],
        [(b"content-length", b"1")],
        [(b"content-length", b"3")],
        [(b"content-length", b"two")],
        [(b"content-length", b"2"), (b"content-length", b"3")],
        [(b"content-type", b"text/event-stream")],
        [(b"set-cookie", b"a"), (b"set-cookie", b"b")],
        [(b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"gzip")],
        [(b"connection", b"close")],
        [(b"connection", b"keep-alive")],
        [(b"date", b"tomorrow")],
        [(b"x_y", b"z")],
        [(b"x", b"")],
        [(b"x", b"\t y\xff")],
        [(b"x", b"y\r\nz: 1")],
        [(b"x", b"y\r\n\r\n")],
        [(b"x", b"y\0")],
        [(b"x\r\ny", b"z")],
        [(b"x:", b"z")],
        [(b"x", b"\n"), (b"y", b"\r")],
        [(b"", b"z")],
    ],
)
async def test_answers_begin_as_uvicorns_own(headers: Any, status: int, method: str, keep_alive: bool) -> None:
    own = await sent(RequestResponseCycle, status, headers, method, keep_alive=keep_alive)
    assert own == await sent(Cycle, status, headers, method, keep_alive=keep_alive)


async def test_nothing_goes_out_to_who_has_left() -> None:
    wire = Wire()
    answering = cycle(Cycle, wire, "POST", keep_alive=True)
    answering.disconnected = True
    await answering.send({"type": "http.response.start", "status": 200, "headers": []})
    assert (b"", False) == (wire.written, answering.response_started)


async def test_only_a_beginning_begins() -> None:
    answering = cycle(Cycle, Wire(), "POST", keep_alive=True)
    with pytest.raises(RuntimeError, match=r"http\.response\.start"):
        await answering.send({"type": "http.response.body", "body": b"a"})


@pytest.mark.parametrize(("headers", "writes"), [([(b"content-length", b"5")], 1), ([], 3)])
async def test_a_head_goes_out_with_what_comes_after_it_where_the_length_is_known(headers: Any, writes: int) -> None:
    wire = Wire()
    answering = cycle(Cycle, wire, "POST", keep_alive=True)
    await answering.send({"type": "http.response.start", "status": 200, "headers": headers})
    await answering.send({"type": "http.response.body", "body": b"hello", "more_body": not headers})
    if not headers:
        await answering.send({"type": "http.response.body", "body": b""})
    assert (writes, True) == (wire.writes, answering.response_complete)
    assert wire.written.startswith(b"HTTP/1.1 200 OK\r\ndate: today\r\n")
    assert wire.written.count(b"hello") == 1
