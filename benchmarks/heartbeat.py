"""How late a gateway's event loop is, which nobody can see from outside: ASGI middleware for `[server].middleware`."""

import asyncio
import json
import time

from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/heartbeat"
BEAT_SECONDS = 0.002


class Heartbeat:
    """`GET /heartbeat` answers how late each beat was since it was asked before, and how long the process worked meanwhile, in
    milliseconds: what is more than that is the machine's doing. All else goes on to the gateway.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._late: list[tuple[float, float]] = []
        self._beating: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != PATH:
            await self._app(scope, receive, send)
            return
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())
        late, self._late = self._late, []
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps([[round(each * 1000, 3) for each in beat] for beat in late]).encode()})

    async def _beat(self) -> None:
        """Until the loop ends."""
        loop = asyncio.get_running_loop()
        while True:
            due, worked = loop.time() + BEAT_SECONDS, time.process_time()
            await asyncio.sleep(BEAT_SECONDS)
            self._late.append((loop.time() - due, time.process_time() - worked))
