"""The floor: the least that an honest proxy over aiohttp can do. `python -m benchmarks.floor ENGINE PORT UPSTREAM_URL`."""

import asyncio
import sys

import aiohttp
import hypercorn.asyncio
import hypercorn.config
import uvicorn
from starlette.types import Receive, Scope, Send


class Floor:
    """An ASGI app that posts what it is sent to one upstream, and relays the answer."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._relay(scope["path"], await _body(receive), send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as self._session:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _relay(self, path: str, body: bytes, send: Send) -> None:
        if self._session is None:
            raise LookupError("the lifespan has not begun")
        asked = {"content-type": "application/json", "authorization": "Bearer sk-bench"}
        async with self._session.post(self._upstream + path, data=body, headers=asked) as response:
            kind = response.headers["content-type"]
            headers = [(b"content-type", kind.encode())]
            if kind.startswith("text/event-stream"):
                await send({"type": "http.response.start", "status": response.status, "headers": headers})
                async for chunk in response.content.iter_any():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
                return
            whole = await response.read()
            headers.append((b"content-length", b"%d" % len(whole)))
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await send({"type": "http.response.body", "body": whole})


async def _body(receive: Receive) -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def serve(engine: str, port: int, upstream: str) -> None:
    """Serves until it is told to stop. What a server does of its own for each request, and can leave, is left."""
    app = Floor(upstream)
    if engine == "uvicorn":
        lean = uvicorn.Config(
            app,
            port=port,
            loop="uvloop",
            http="httptools",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        uvicorn.Server(lean).run()
        return
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.include_server_header = False
    config.accesslog = config.errorlog = None
    asyncio.run(hypercorn.asyncio.serve(app, config))  # type: ignore[arg-type]


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
