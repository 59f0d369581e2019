"""Serving: sockets, signals and the end. Hypercorn by default, uvicorn by choice; the app is the same."""

import asyncio
import gc
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import structlog
from starlette.applications import Starlette

from ailb import app, heap, log, prices_listed
from ailb.clients.chat import Chat
from ailb.clients.messages import Messages
from ailb.clients.ollama import OllamaChat
from ailb.clock import Clock
from ailb.config import Config, written
from ailb.engines import GRACE_SECONDS, Serving, bound, engine
from ailb.gateway import Gateway
from ailb.health import Healths
from ailb.latest import Latest
from ailb.loader import Snapshot, load
from ailb.meter import Meter
from ailb.metrics import Metrics
from ailb.records import Records
from ailb.records_shelf import Shelf
from ailb.services import Services
from ailb.tally import Shared, Tally
from ailb.tokenizer import Tokenizer
from ailb.tokens import Counter
from ailb.workers import supervise

if TYPE_CHECKING:
    from ailb.store.store import Store

LOG = structlog.get_logger("ailb.server")
END_SECONDS: Final = 20.0
"""How long a gateway gets to write down what it is still at, and to close what is open."""

COLLECT_AFTER: Final = (25_000, 2, 5)
"""When Python looks for reference cycles: allocations, and how many times of the younger generation for the older ones. An answer makes
none, and what 64 requests at a time hold is less than the first number: the default of 700 looks several times per request under load. But
a connection that is over is one, to asyncio: those that were open during a look wait for the next one at the older ones.
"""


def serve(path: Path, environ: Mapping[str, str]) -> int:
    """Runs until SIGTERM or SIGINT. Returns the exit status. Raises ConfigError before anything is served."""
    first = _Process(path, environ)
    config = first.snapshot.config
    if any(layer.use == "rag" for layer in config.layer):
        heap.share(environ)
    log.configure(config.log.level, config.log.format)
    listener = bound(config.server)
    _raise_file_limit()
    if config.server.workers == 1:
        return first.serve(listener)
    shared = Shared(config.server.workers)
    began = first.snapshot.text
    with TemporaryDirectory(prefix="ailb-") as folder, Latest(began) as latest:  # the folder is nobody else's, mode 0700

        def run(seat: int) -> int:
            """Each makes its own of everything else: processes must not share ids, dice or connections."""
            process = _Process(path, environ, began, shared.tally(seat), Path(folder, str(seat)))
            return process.serve(listener, latest)

        return supervise(config.server.workers, run)


class _Process:
    """What one process serves with. `began`: what stood in the file when the gateway started, if that was before. Raises ConfigError."""

    def __init__(
        self,
        path: Path,
        environ: Mapping[str, str],
        began: str | None = None,
        tally: Tally | None = None,
        asked_at: Path | None = None,
    ) -> None:
        began = written(path) if began is None else began
        self._clock = Clock()
        self._metrics = Metrics(tally, self._clock)
        healths = Healths(self._metrics.tally)
        plain: dict[type, Any] = {
            Clock: self._clock,
            Meter: self._metrics,
            Healths: healths,
            Tally: self._metrics.tally,
            Counter: Tokenizer(),
        }
        self._services = Services(plain, path, environ, began)
        self._load = partial(load, path, environ, self._services)
        self.snapshot = self._load(began)
        self._shelf = Shelf(self._services[Records], asked_at)

    def serve(self, listener: socket, latest: Latest | None = None) -> int:
        """`latest`: the text of the configuration that the gateway's processes run; that the file was edited since changes nothing before
        a reload. What is read at the start only, as `[server]` and `[store]`, is as it was then.
        """
        store = self._services.start()
        text = self.snapshot.text if latest is None else latest.take()
        now = self.snapshot if text == self.snapshot.text else self._load(text)
        gateway = Gateway(now, self._load, self._clock, store, open=self._metrics.open, greet=_greet)
        asgi = _app(gateway, self._metrics, self.snapshot.config, store, self._shelf)
        serving, run = engine(asgi, self.snapshot.config.server, listener)
        prices_listed.load()
        _spare_the_collector()
        Thread(target=heap.widen, daemon=True).start()  # beside the start: it may take the system 0.1 s
        with _blamed(gateway):
            run(_beside(self._shelf, gateway, serving, latest))
        return 0


def _app(gateway: Gateway, metrics: Metrics, config: Config, store: "Store | None", shelf: Shelf) -> Starlette:
    speeches = (Chat(), Messages(), OllamaChat())
    if store is None:
        return app.build(gateway, metrics, config, speeches)
    from ailb.admin.routes import routes, shelved  # they bring SQLAlchemy along

    metrics.memories.asked = store.sessions.active
    api = routes(gateway, store.database, store.keys, store.budgets, shelf)
    if store.library is not None:
        api += shelved(gateway, store.keys, store.library)
    return app.build(gateway, metrics, config, speeches, api, store.keys)


async def _beside(shelf: Shelf, gateway: Gateway, serving: Serving, latest: Latest | None) -> None:
    async with shelf:
        await _run(gateway, serving, latest)


async def _run(gateway: Gateway, serving: Serving, latest: Latest | None = None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.set_exception_handler(_unhandled)
    loop.add_signal_handler(signal.SIGHUP, lambda: gateway.background(_reload(gateway, latest)))
    server = asyncio.ensure_future(serving(stop))
    waiting = asyncio.ensure_future(told.wait())
    await asyncio.wait((server, waiting), return_when=asyncio.FIRST_COMPLETED)
    if not server.done():
        LOG.info("draining")
        await gateway.drain()
        stop.set()
        await asyncio.wait((server,), timeout=GRACE_SECONDS)
        if gateway.ending:  # no socket keeps it, but what is still to be written down
            await asyncio.wait((server,), timeout=END_SECONDS)
        server.cancel()
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await server
    LOG.info("stopped")


@contextmanager
def _blamed(gateway: Gateway) -> Iterator[None]:
    """Where the start failed for the configuration, a ConfigError is raised, and not what the engine makes of it (uvicorn exits)."""
    try:
        yield
    finally:
        if gateway.failure is not None:
            raise gateway.failure


def _unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What no task and no callback caught. Connections that are cancelled while the server stops are not worth a line."""
    error = context.get("exception")
    if not isinstance(error, asyncio.CancelledError):
        LOG.error("unhandled", problem=context.get("message"), exc_info=error)


async def _reload(gateway: Gateway, latest: Latest | None) -> None:
    if await gateway.reload() and latest is not None:
        latest.keep(gateway.snapshot.text)


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
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # see `ailb.commands.serve`
    server = snapshot.config.server
    LOG.info("serving", address=f"http://{server.host}:{server.port}", engine=server.engine, providers=list(snapshot.providers))
    if not snapshot.config.auth.admin_key:
        LOG.warning("local mode: everyone on this machine is trusted; set auth.admin_key to require keys")
    for provider in snapshot.config.provider:
        if provider.stand_in and provider.name in snapshot.providers:
            LOG.warning("no provider's key is in the environment", answering=provider.name)
