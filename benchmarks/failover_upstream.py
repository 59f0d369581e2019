"""A provider with a character: `python -m benchmarks.failover_upstream PORT good|slow|flaky`."""

import asyncio
import random
import sys
from typing import Final

from aiohttp import web

from benchmarks.upstream import chat_answer, stream_events

GOOD_SECONDS: Final = 0.02
SLOW_SECONDS: Final = 0.4
FLAKY_SHARE: Final = 0.3
EVENTS: Final = 8

KINDS: Final = ("good", "slow", "flaky")


def app(kind: str) -> web.Application:
    dice = random.Random(7)
    events = [*stream_events()[:EVENTS], *stream_events()[-3:]]

    async def chat(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        await asyncio.sleep(SLOW_SECONDS if kind == "slow" else GOOD_SECONDS)
        if kind == "flaky" and dice.random() < FLAKY_SHARE:
            if dice.random() < 0.5 and request.transport is not None:
                request.transport.abort()
            return web.json_response({"error": {"message": "flaky", "type": "server_error"}}, status=500)
        if not asked.get("stream"):
            return web.Response(body=chat_answer(), content_type="application/json")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(event)
            await asyncio.sleep(0.002)
        await response.write_eof()
        return response

    made = web.Application()
    made.router.add_post("/v1/chat/completions", chat)
    return made


if __name__ == "__main__":
    web.run_app(app(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None, reuse_address=True)
