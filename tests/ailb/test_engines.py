import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.config import Server
from ailb.engines import bound, engine
from ailb.errors import ConfigError
from tests.ailb.serving import SOON

ENGINES = pytest.mark.parametrize("name", ["hypercorn", "uvicorn"])


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app that says hello to everybody."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def asked(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


@ENGINES
def test_it_serves_until_it_is_told_to_stop(name: Any, port: int) -> None:
    options = Server(port=port, engine=name)
    serving, run = engine(hello, options, bound(options))
    answers: list[bytes] = []

    async def session() -> None:
        stop = asyncio.Event()
        server = asyncio.ensure_future(serving(stop))
        answers.append(await asyncio.wait_for(asked(port), SOON))
        stop.set()
        await asyncio.wait_for(server, SOON)

    run(session())
    (answer,) = answers
    assert (True, True) == (answer.startswith(b"HTTP/1.1 200"), answer.endswith(b"\r\n\r\nhello"))
    assert b"server:" not in answer.lower()


def test_an_address_that_is_taken_is_told_before_anything_is_served(port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            bound(Server(port=port))
