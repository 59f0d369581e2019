"""The HTTP servers: Hypercorn, or uvicorn for the fastest HTTP/1.1. The app is the same on both."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final

from starlette.types import ASGIApp

from ailb.config import Server
from ailb.errors import ConfigError

BACKLOG: Final = 1024
HEADER_SECONDS: Final = 5.0
"""A request whose headers take longer is cut off. Hypercorn does it by itself, uvicorn does not."""

GRACE_SECONDS: Final = 1.0
"""How long a server gets to close its sockets once nobody is served. On Python 3.12.1 and later Hypercorn would wait for ever."""

Serving = Callable[[asyncio.Event], Awaitable[None]]
"""Serves until the event is set."""

Runner = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a coroutine on the event loop that the engine likes best."""


def engine(app: ASGIApp, server: Server, listener: socket.socket) -> tuple[Serving, Runner]:
    """Serves on `listener`. Raises ConfigError when the engine cannot be had."""
    return _uvicorn(app, server, listener) if server.engine == "uvicorn" else (_hypercorn(app, server, listener), asyncio.run)


def bound(server: Server) -> socket.socket:
    """A socket that listens on the server's address. Raises ConfigError when that cannot be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((server.host, server.port))
        listener.listen(BACKLOG)
    except OSError as problem:
        listener.close()
        raise ConfigError("[server]", f"cannot listen on {server.host}:{server.port}: {problem.strerror or problem}") from None
    listener.setblocking(False)
    return listener


def _hypercorn(app: ASGIApp, server: Server, listener: socket.socket) -> Serving:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from ailb.engines_hypercorn import install

    install(server.write_seconds)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = BACKLOG
    config.include_server_header = False
    config.alpn_protocols = ["h2", "http/1.1"] if server.http2 else ["http/1.1"]
    config.certfile, config.keyfile = server.tls_cert, server.tls_key
    config.keep_alive_timeout = HEADER_SECONDS
    config.graceful_timeout = GRACE_SECONDS
    config.accesslog = config.errorlog = None

    async def serving(stop: asyncio.Event) -> None:
        async def told() -> None:
            await stop.wait()

        await serve(app, config, shutdown_trigger=told)  # type: ignore[arg-type]

    return serving


def _uvicorn(app: ASGIApp, server: Server, listener: socket.socket) -> tuple[Serving, Runner]:
    try:
        import uvicorn
        import uvloop

        from ailb.engines_uvicorn import Impatient, install
    except ImportError:
        raise ConfigError("[server].engine", "uvicorn is not installed; install ailb[uvicorn]") from None
    install()
    config = uvicorn.Config(
        app,
        http=partial(Impatient, HEADER_SECONDS),  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ssl_certfile=server.tls_cert,
        ssl_keyfile=server.tls_key,
        timeout_graceful_shutdown=int(GRACE_SECONDS),
        lifespan="on",
    )

    async def serving(stop: asyncio.Event) -> None:
        running = uvicorn.Server(config)

        async def told() -> None:
            await stop.wait()
            running.should_exit = True

        telling = asyncio.ensure_future(told())
        try:
            await running._serve([listener])  # `serve` would take the signals, which are the gateway's business
        finally:
            telling.cancel()

    return serving, uvloop.run
