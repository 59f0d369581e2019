"""Serving: sockets, signals and the end. Hypercorn by default, uvicorn by choice; the app is the same."""

import asyncio
import resource
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog
from starlette.applications import Starlette

from ailb import app, log
from ailb.clients.chat import Chat
from ailb.clients.messages import Messages
from ailb.clients.ollama import OllamaChat
from ailb.clock import Clock
from ailb.config import Server
from ailb.errors import ConfigError
from ailb.gateway import Gateway
from ailb.loader import Snapshot, load
from ailb.meter import Meter
from ailb.metrics import Metrics

LOG = structlog.get_logger("ailb.server")
GRACE_SECONDS: Final = 1.0
"""How long the server gets to close its sockets once nobody is served. On Python 3.12.1 and later Hypercorn would wait for ever."""


def serve(path: Path, environ: Mapping[str, str]) -> None:
    """Runs until SIGTERM or SIGINT. Raises ConfigError before anything is served."""
    clock, metrics = Clock(), Metrics()
    services: dict[type, Any] = {Clock: clock, Meter: metrics}

    def read() -> Snapshot:
        return load(path, environ, services)

    snapshot = read()
    config = snapshot.config
    log.configure(config.log.level, config.log.format)
    gateway = Gateway(snapshot, read, clock)
    asgi = app.build(gateway, metrics, config, (Chat(), Messages(), OllamaChat()))
    _raise_file_limit()
    _greet(snapshot)
    runner = _runner(config.server)
    if runner is None:
        asyncio.run(_run(gateway, _hypercorn(asgi, config.server)))
    else:
        runner(_run(gateway, _uvicorn(asgi, config.server)))


Serving = Callable[[asyncio.Event], Awaitable[None]]
"""Serves until the event is set."""


async def _run(gateway: Gateway, serving: Serving) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.set_exception_handler(_unhandled)
    loop.add_signal_handler(signal.SIGHUP, lambda: gateway.background(_reload(gateway)))
    server = asyncio.ensure_future(serving(stop))
    waiting = asyncio.ensure_future(told.wait())
    await asyncio.wait((server, waiting), return_when=asyncio.FIRST_COMPLETED)
    if not server.done():
        LOG.info("draining")
        await gateway.drain()
        stop.set()
        await asyncio.wait((server,), timeout=GRACE_SECONDS)
        server.cancel()
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await server
    LOG.info("stopped")


def _unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What no task and no callback caught. Connections that are cancelled while the server stops are not worth a line."""
    error = context.get("exception")
    if not isinstance(error, asyncio.CancelledError):
        LOG.error("unhandled", problem=context.get("message"), exc_info=error)


async def _reload(gateway: Gateway) -> None:
    await gateway.reload()


def _hypercorn(asgi: Starlette, server: Server) -> Serving:
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config as HypercornConfig

    config = HypercornConfig()
    config.bind = [f"{server.host}:{server.port}"]
    config.include_server_header = False
    config.alpn_protocols = ["h2", "http/1.1"] if server.http2 else ["http/1.1"]
    config.certfile, config.keyfile = server.tls_cert, server.tls_key
    config.graceful_timeout = GRACE_SECONDS
    config.accesslog = config.errorlog = None

    async def serving(stop: asyncio.Event) -> None:
        async def told() -> None:
            await stop.wait()

        await hypercorn_serve(asgi, config, shutdown_trigger=told)  # type: ignore[arg-type]

    return serving


def _uvicorn(asgi: Starlette, server: Server) -> Serving:
    import uvicorn

    class Quiet(uvicorn.Server):
        """Signals are the gateway's business."""

        def install_signal_handlers(self) -> None:
            return

    config = uvicorn.Config(
        asgi,
        host=server.host,
        port=server.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        date_header=True,
        ssl_certfile=server.tls_cert,
        ssl_keyfile=server.tls_key,
        timeout_graceful_shutdown=1,
        lifespan="on",
    )

    async def serving(stop: asyncio.Event) -> None:
        running = Quiet(config)

        async def told() -> None:
            await stop.wait()
            running.should_exit = True

        telling = asyncio.ensure_future(told())
        try:
            await running._serve()
        finally:
            telling.cancel()

    return serving


def _runner(server: Server) -> Callable[[Any], None] | None:
    """uvloop's, for uvicorn."""
    if server.engine != "uvicorn":
        return None
    try:
        import uvloop
    except ImportError:
        raise ConfigError("[server].engine", "uvicorn is not installed; install ailb[uvicorn]") from None
    return uvloop.run


def _raise_file_limit() -> None:
    """Each stream takes two sockets; the soft limit is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _greet(snapshot: Snapshot) -> None:
    server = snapshot.config.server
    LOG.info("serving", address=f"http://{server.host}:{server.port}", engine=server.engine, providers=list(snapshot.providers))
    if not snapshot.config.auth.admin_key:
        LOG.warning("local mode: everyone on this machine is trusted; set auth.admin_key to require keys")
    for provider in snapshot.config.provider:
        if provider.stand_in and provider.name in snapshot.providers:
            LOG.warning("no provider's key is in the environment", answering=provider.name)
