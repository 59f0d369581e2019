"""How many tasks a gateway has, which nobody can see from outside: ASGI middleware for `[server].middleware`."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/tasks"


class Tasks:
    """`GET /tasks` answers the number of tasks in the event loop, the one that counts among them. All else goes on to the gateway."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != PATH:
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"%d" % len(asyncio.all_tasks())})
