"""Serving: sockets, signals and the end. Hypercorn by default, uvicorn by choice; the app is the same."""

import asyncio
import gc
import resource
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from starlette.applications import Starlette

from ailb import app, log
from ailb.clients.chat import Chat
from ailb.clients.messages import Messages
from ailb.clients.ollama import OllamaChat
from ailb.clock import Clock
from ailb.config import Config
from ailb.engines import GRACE_SECONDS, Serving, engine
from ailb.gateway import Gateway
from ailb.loader import Snapshot, load
from ailb.meter import Meter
from ailb.metrics import Metrics
from ailb.services import Services

if TYPE_CHECKING:
    from ailb.store.store import Store

LOG = structlog.get_logger("ailb.server")
COLLECT_AFTER: Final = (10_000, 20, 20)
"""When Python looks for reference cycles: allocations, and how many times of the younger generation for the older ones. A request makes
hardly any cycle, so there is little to find, and the default of 700 allocations looks several times per request under load.
"""


def serve(path: Path, environ: Mapping[str, str]) -> None:
    """Runs until SIGTERM or SIGINT. Raises ConfigError before anything is served."""
    clock, metrics = Clock(), Metrics()
    services = Services({Clock: clock, Meter: metrics}, path, environ)

    def read() -> Snapshot:
        return load(path, environ, services)

    snapshot = read()
    config = snapshot.config
    log.configure(config.log.level, config.log.format)
    store = services.start()
    gateway = Gateway(snapshot, read, clock, store)
    asgi = _app(gateway, metrics, config, store)
    _raise_file_limit()
    _greet(snapshot)
    serving, run = engine(asgi, config.server)
    _spare_the_collector()
    run(_run(gateway, serving))


def _app(gateway: Gateway, metrics: Metrics, config: Config, store: "Store | None") -> Starlette:
    speeches = (Chat(), Messages(), OllamaChat())
    if store is None:
        return app.build(gateway, metrics, config, speeches)
    from ailb.admin.routes import routes  # they bring SQLAlchemy along

    return app.build(gateway, metrics, config, speeches, routes(gateway, store.database, store.keys, store.budgets), store.keys)


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


def _raise_file_limit() -> None:
    """Each stream takes two sockets; the soft limit is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _spare_the_collector() -> None:
    """What is there by now, every module's functions and classes, stays to the end. Looking through all of it again and again for cycles
    took a tenth of the time that a request costs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _greet(snapshot: Snapshot) -> None:
    server = snapshot.config.server
    LOG.info("serving", address=f"http://{server.host}:{server.port}", engine=server.engine, providers=list(snapshot.providers))
    if not snapshot.config.auth.admin_key:
        LOG.warning("local mode: everyone on this machine is trusted; set auth.admin_key to require keys")
    for provider in snapshot.config.provider:
        if provider.stand_in and provider.name in snapshot.providers:
            LOG.warning("no provider's key is in the environment", answering=provider.name)
