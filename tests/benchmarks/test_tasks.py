"""Tasks are counted, and everything else goes by."""

import asyncio

from starlette.types import Message, Receive, Scope, Send

from benchmarks.tasks import PATH, Tasks


async def nothing() -> Message:
    return {"type": "http.request"}


async def asked(path: str) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "inner", "path": scope["path"]})

    await Tasks(app)({"type": "http", "path": path}, nothing, send)
    return sent


async def test_it_tells_how_many_there_are() -> None:
    waiting = asyncio.create_task(asyncio.Event().wait())
    _, body = await asked(PATH)
    waiting.cancel()
    assert body["body"] == b"%d" % len(asyncio.all_tasks())


async def test_other_paths_are_the_gateways() -> None:
    assert await asked("/v1/models") == [{"type": "inner", "path": "/v1/models"}]
