"""A loop that is held up is found out."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from benchmarks.heartbeat import PATH, SCHEDULED, Heartbeat, Waited


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "inner", "path": scope["path"]})


@pytest.fixture
async def beating() -> AsyncIterator[Heartbeat]:
    yield Heartbeat(inner)
    for task in asyncio.all_tasks():
        if "_beat" in str(task.get_coro()):
            task.cancel()


async def asked(heart: Heartbeat, path: str = PATH) -> list[Message]:
    sent: list[Message] = []

    async def nothing() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await heart({"type": "http", "path": path}, nothing, send)
    return sent


async def beats(heart: Heartbeat) -> list[list[float]]:
    _, body = await asked(heart)
    found: list[list[float]] = json.loads(body["body"])
    return found


async def test_it_tells_how_late_each_beat_was_since_it_was_asked(beating: Heartbeat) -> None:
    assert [] == await beats(beating)
    await asyncio.sleep(0)
    time.sleep(0.05)  # holds the loop up, which is what is to be found out
    found: list[list[float]] = []
    while not found:
        await asyncio.sleep(0.001)
        found = await beats(beating)
    late, own = max(found)
    assert late > 20 > own


async def test_other_paths_are_the_gateways(beating: Heartbeat) -> None:
    assert await asked(beating, "/v1/models") == [{"type": "inner", "path": "/v1/models"}]


def test_a_thread_that_waits_for_a_processor_is_told_by_the_system() -> None:
    with Waited() as waited:
        first = waited()
        assert 0 <= first <= waited()
    assert SCHEDULED.exists() or first == 0
