"""The floor relays what it is sent, whole and in pieces."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from starlette.types import Message

from benchmarks.floor import Floor

PATH = "/v1/chat/completions"


async def answer(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    if b"stream" not in body:
        return web.Response(status=201, body=body, content_type="application/json")
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for _ in range(3):
        await response.write(b"data: x\n\n")
    return response


@pytest.fixture
async def upstream() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post(PATH, answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def asked(upstream: str, *parts: bytes) -> list[Message]:
    """What the app sends when it is sent `parts`."""
    sent: list[Message] = []
    bodies = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages: list[Message] = [*bodies, {"type": "http.request"}]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    floor = Floor(upstream)
    async with aiohttp.ClientSession() as floor._session:
        await floor({"type": "http", "path": PATH}, receive, send)
    return sent


async def test_a_whole_answer_keeps_its_status_and_its_body(upstream: str) -> None:
    start, body = await asked(upstream, b'{"a":', b"1}")
    assert start["status"] == 201
    assert (b"content-length", b"7") in start["headers"]
    assert body["body"] == b'{"a":1}'


async def test_a_stream_comes_in_pieces_with_an_end(upstream: str) -> None:
    start, *bodies = await asked(upstream, b'{"stream":true}')
    assert (b"content-type", b"text/event-stream") in start["headers"]
    assert b"".join(message["body"] for message in bodies) == b"data: x\n\n" * 3
    assert [message.get("more_body", False) for message in bodies] == [True] * (len(bodies) - 1) + [False]
