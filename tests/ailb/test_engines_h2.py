"""The floods, over real sockets and a gateway's own process, are in tests/e2e/test_http2.py."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, Event, StreamEnded, StreamReset
from hyperframe.frame import DataFrame, PingFrame, PriorityFrame, RstStreamFrame, WindowUpdateFrame

from ailb.config import Server
from ailb.engines import bound, engine
from ailb.engines_h2 import PURSE, RESET
from tests.ailb.serving import SOON
from tests.ailb.test_engines import hello, port

__all__ = ["port"]  # fixtures are found by their names here

HEAD = [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "localhost")]


class Talk:
    """One connection, and what came of it by now."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
        self.h2.initiate_connection()
        self.events: list[Event] = []
        self.closed = False
        self._reader, self._writer = reader, writer

    def send(self, data: bytes = b"") -> None:
        self._writer.write(self.h2.data_to_send() + data)

    def begin(self, head: list[tuple[str, str]] | None = None, *, ends: bool = False) -> int:
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, head or HEAD, end_stream=ends)
        self.send()
        return stream

    async def until(self, kind: type[Event], stream: int | None = None) -> Any:
        while True:
            for event in self.events:
                if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None)):
                    return event
            await self.more()

    async def more(self) -> None:
        data = await self._reader.read(65_536)
        assert data, f"closed after {self.events}"
        self.events += self.h2.receive_data(data)
        self.send()

    async def answered(self, stream: int) -> bytes:
        await self.until(StreamEnded, stream)
        return b"".join(event.data or b"" for event in self.events if isinstance(event, DataReceived) and event.stream_id == stream)


async def cut(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app that has more to say, and leaves it at that."""
    if scope["type"] == "lifespan":
        await hello(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"500")]})
    await send({"type": "http.response.body", "body": b"hello", "more_body": True})


def talked(port: int, script: Callable[[Talk], Awaitable[None]], app: Any = hello) -> list[dict[str, Any]]:
    """Plays the script against a server; returns what its event loop did not catch."""
    options, uncaught = Server(port=port, http2=True, write_seconds=0.2), []
    serving, run = engine(app, options, bound(options))

    async def session() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: uncaught.append(context))
        stop = asyncio.Event()
        server = asyncio.ensure_future(serving(stop))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.wait_for(script(Talk(reader, writer)), SOON)
        writer.close()
        stop.set()
        await asyncio.wait_for(server, SOON)

    run(session())
    return uncaught


def test_a_connection_lasts_longer_than_a_thousand_requests(port: int) -> None:
    async def script(talk: Talk) -> None:
        for _ in range(1100):
            assert await talk.answered(talk.begin(ends=True)) == b"hello"
            talk.events.clear()

    assert talked(port, script) == []


def test_what_comes_behind_the_answer_is_stopped_and_does_no_harm(port: int) -> None:
    async def script(talk: Talk) -> None:
        stream = talk.begin()
        assert await talk.answered(stream) == b"hello"
        talk.send(DataFrame(stream, b"more").serialize() * 3)
        assert (await talk.until(StreamReset, stream)).error_code == ErrorCodes.NO_ERROR
        assert await talk.answered(talk.begin(ends=True)) == b"hello"

    assert talked(port, script) == []


@pytest.mark.parametrize("head", [[(":method", "CONNECT"), (":authority", "a:1")], [*HEAD[:1], (":path", "/\xff"), *HEAD[2:]]])
def test_a_request_that_hypercorn_cannot_read_is_reset(port: int, head: list[tuple[str, str]]) -> None:
    async def script(talk: Talk) -> None:
        stream = talk.begin(head)
        assert (await talk.until(StreamReset, stream)).error_code == ErrorCodes.PROTOCOL_ERROR
        assert await talk.answered(talk.begin(ends=True)) == b"hello"

    assert talked(port, script) == []


def test_priorities_make_no_tree(port: int) -> None:
    async def script(talk: Talk) -> None:
        talk.send(b"".join(PriorityFrame(1 + 2 * number, depends_on=0, stream_weight=1).serialize() for number in range(int(PURSE) - 10)))
        assert await talk.answered(talk.begin(ends=True)) == b"hello"

    assert talked(port, script) == []


@pytest.mark.parametrize("frames", [1, 0.9], ids=["too many", "not too many"])
def test_an_empty_purse_ends_the_connection(port: int, frames: float) -> None:
    async def script(talk: Talk) -> None:
        talk.send(PingFrame(0, b"12345678").serialize() * int(frames * PURSE + 200 * (frames == 1)))
        if frames == 1:
            assert (await talk.until(ConnectionTerminated)).error_code == ErrorCodes.ENHANCE_YOUR_CALM
        else:
            assert await talk.answered(talk.begin(ends=True)) == b"hello"

    assert talked(port, script) == []


def test_resets_are_dearer_than_other_frames(port: int) -> None:
    async def script(talk: Talk) -> None:
        for _ in range(int(PURSE / RESET) + 20):
            stream = talk.begin()
            talk.send(RstStreamFrame(stream, int(ErrorCodes.CANCEL)).serialize())
        assert (await talk.until(ConnectionTerminated)).error_code == ErrorCodes.ENHANCE_YOUR_CALM

    assert talked(port, script) == []


def test_a_stream_whose_client_takes_nothing_is_reset(port: int) -> None:
    async def script(talk: Talk) -> None:
        talk.h2.update_settings({4: 1})  # the window of each stream, in bytes
        stream = talk.begin(ends=True)
        assert (await talk.until(StreamReset, stream)).error_code == ErrorCodes.CANCEL
        talk.h2.update_settings({4: 65_535})
        assert await talk.answered(talk.begin(ends=True)) == b"hello"

    assert talked(port, script) == []


def test_an_answer_that_ends_too_early_is_reset(port: int) -> None:
    async def script(talk: Talk) -> None:
        for _ in range(101):  # more than may be open at a time
            assert (await talk.until(StreamReset, talk.begin(ends=True))).error_code == ErrorCodes.INTERNAL_ERROR

    assert talked(port, script, cut) == []


async def talks(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app that says a lot in little pieces."""
    if scope["type"] == "lifespan":
        await hello(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000):
        await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


def test_a_client_may_widen_both_windows_for_each_piece(port: int) -> None:
    async def script(talk: Talk) -> None:
        for _ in range(2):
            stream, widened = talk.begin(ends=True), 0
            while not any(isinstance(event, StreamEnded) for event in talk.events):
                await talk.more()
                pieces = sum(isinstance(event, DataReceived) for event in talk.events)
                for _ in range(pieces - widened):
                    talk.send(WindowUpdateFrame(0, 5).serialize() + WindowUpdateFrame(stream, 5).serialize())
                widened = pieces
            assert widened > 600  # else the purse would do without
            talk.events.clear()

    assert talked(port, script, talks) == []
