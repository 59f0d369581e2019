"""Many requests at once from a process of its own: `python -m tests.e2e.burst PORT NUMBER MODEL KEY [stream]` prints the statuses."""

import asyncio
import json
import sys
from collections import Counter

from tests.e2e.raw import request
from tests.e2e.wire import asked

TIMES = 20


async def _one(port: int, data: bytes, ready: asyncio.Barrier) -> int:
    """Its status. A database that has no time is a 503, after which one asks again, as clients do."""
    connection = await asyncio.open_connection("127.0.0.1", port)
    await ready.wait()
    for _ in range(TIMES):
        status = await _asked(*connection, data)
        if status != 503:
            break
        await asyncio.sleep(0.5)
        connection = await asyncio.open_connection("127.0.0.1", port)
    return status


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> int:
    writer.write(data)
    status = int((await reader.readline()).split(b" ")[1])
    await reader.read()
    writer.close()
    return status


async def burst(port: int, number: int, data: bytes) -> Counter[int]:
    """All connections are open before the first of them asks."""
    ready = asyncio.Barrier(number)
    return Counter(await asyncio.gather(*(_one(port, data, ready) for _ in range(number))))


if __name__ == "__main__":
    port, number, model, key = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    body = asked(model, stream="stream" in sys.argv[5:], max_tokens=2)
    headers = {"authorization": f"Bearer {key}", "connection": "close"}
    sys.stdout.write(json.dumps(asyncio.run(burst(port, number, request("POST", "/v1/chat/completions", body, headers)))))
