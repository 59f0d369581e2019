import asyncio
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from ailb.engines import HEADER_SECONDS
from ailb.engines_uvicorn import Impatient


class Wire(asyncio.Transport):
    """A connection that notes when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: Any) -> None:
        pass


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def connected() -> tuple[Impatient, Wire]:
    config = uvicorn.Config(app, http=Impatient, log_config=None, lifespan="off")
    config.load()
    protocol, wire = Impatient(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def test_who_says_nothing_is_cut_off_in_time() -> None:
    protocol, wire = await connected()
    assert protocol._patience is not None
    assert 0 < protocol._patience.when() - asyncio.get_running_loop().time() <= HEADER_SECONDS
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
