"""The running whole: the snapshot that new requests see, those that old ones finish on, and how it all ends."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from secrets import token_hex
from typing import Any, Protocol

import structlog

from ailb.clock import Clock
from ailb.deadline import Rounds
from ailb.discovery import discover
from ailb.errors import ConfigError, LoopDetected, Refusal, Unavailable
from ailb.health_checks import look_after
from ailb.loader import Snapshot
from ailb.tally import Row

LOG = structlog.get_logger("ailb.gateway")
MOST_HOPS = 10
CUT_SECONDS = 1.0
"""How long requests that were cut get to say so to their clients and to settle."""


class Service(Protocol):
    """An exchange being served."""

    def cut(self, refusal: Refusal) -> None: ...


class Kept(AbstractAsyncContextManager[object], Protocol):
    """The store: entered before the first snapshot, left after the last, when every settlement is written."""

    @property
    def healthy(self) -> bool: ...


class Live:
    """A snapshot in use: how many requests are on it, and what to close when the last one is done."""

    __slots__ = ("open", "resources", "retired", "snapshot", "tasks")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.resources = AsyncExitStack()
        self.tasks: list[asyncio.Task[None]] = []
        self.open = 0
        self.retired = False

    async def enter(self, clock: Clock) -> None:
        """Opens every provider, the embedder and every layer that wants to be, in the onion's order; closes them all again if one fails.

        Layers are closed before providers: they may have something under way there.
        """
        members: Iterable[object] = [*self.snapshot.providers.values(), self.snapshot.embedder, *self.snapshot.layers]
        try:
            for member in members:
                if isinstance(member, AbstractAsyncContextManager):
                    await self.resources.enter_async_context(member)
        except BaseException:  # cancellation too: what was opened is closed, whatever it was
            await self.resources.aclose()
            raise
        self.tasks = [*await discover(self.snapshot), *look_after(self.snapshot, clock)]

    def retire(self) -> None:
        """It only serves on what it has begun, and looks after nobody any more."""
        self.retired = True
        for task in self.tasks:
            task.cancel()

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.resources.aclose()


class Gateway:
    """One process's gateway. It begins with the `first` snapshot; `load` reads the configuration anew for `reload`. `open` is where it
    counts the requests that are under way. `greet` is called once it has all that it needs.
    """

    def __init__(
        self,
        first: Snapshot,
        load: Callable[[], Snapshot],
        clock: Clock,
        store: Kept | None = None,
        *,
        open: Row | None = None,
        greet: Callable[[Snapshot], None] = lambda _: None,
    ) -> None:
        self._first = first
        self.store = store
        self.id = token_hex(6)
        self._hop = f"1.1 ailb-{self.id}"
        self.serving: set[Service] = set()
        self.rounds = Rounds()
        self.draining = False
        self.ending = False
        self._load = load
        self._clock = clock
        self._greet = greet
        self._live: Live | None = None
        self._kept = AsyncExitStack()
        self.failure: ConfigError | None = None
        """Why it could not start."""
        self._open: Row = [0] if open is None else open
        self._idle = asyncio.Event()
        self._background: set[asyncio.Task[Any]] = set()

    @property
    def snapshot(self) -> Snapshot:
        """What new requests see. Raises Unavailable before the start and after the end."""
        if self._live is None:
            raise Unavailable("not started")
        return self._live.snapshot

    async def start(self) -> None:
        """Raises ConfigError, and keeps it: servers tell in their own words that the start failed."""
        live = Live(self._first)
        try:
            if self.store is not None:
                await self._kept.enter_async_context(self.store)
            await live.enter(self._clock)
        except BaseException as problem:  # cancellation too: what was opened is closed, whatever it was
            self.failure = problem if isinstance(problem, ConfigError) else None
            await self._kept.aclose()
            raise
        self._live = live
        self._greet(live.snapshot)

    def admit(self) -> Live:
        """A place for one request on the current snapshot; `release` gives it back. Raises Unavailable."""
        live = self._live
        if self.draining or live is None:
            raise Unavailable("shutting down", headers={"retry-after": "1"})
        if self._open[0] >= live.snapshot.config.server.max_requests:
            raise Unavailable("too many requests at once (server.max_requests)", headers={"retry-after": "1"})
        self._open[0] += 1
        live.open += 1
        return live

    def release(self, live: Live) -> None:
        self._open[0] -= 1
        live.open -= 1
        if live.retired and not live.open:
            self.background(live.leave())
        if not self._open[0]:
            self._idle.set()

    async def reload(self) -> bool:
        """New requests see the configuration as it is now; those under way finish on what they began with. A bad one changes nothing."""
        try:
            live = Live(self._load())
            await live.enter(self._clock)
        # A layer that cannot open what it needs says so in its own way; the old configuration serves on, whatever it was.
        except Exception as problem:
            LOG.error("reload refused", problem=str(problem), exc_info=not isinstance(problem, ConfigError))
            return False
        old, self._live = self._live, live
        LOG.info("reloaded", version=live.snapshot.version)
        if old is not None:
            old.retire()
            if not old.open:
                self.background(old.leave())
        return True

    async def drain(self) -> None:
        """Admits nobody, waits for those under way, and after `server.drain_seconds` ends what is left with an error."""
        self.draining = True
        if self._live is None or await self._idle_within(self._live.snapshot.config.server.drain_seconds):
            return
        LOG.warning("drain deadline", cut=len(self.serving))
        for service in list(self.serving):
            service.cut(Unavailable("the gateway is shutting down"))
        if not await self._idle_within(CUT_SECONDS):
            LOG.error("requests left behind", open=self._open[0])

    async def stop(self) -> None:
        """What is done behind the answers comes to its end, and everything is closed. `ending` from then on."""
        self.ending = True
        live, self._live = self._live, None
        if self._background:
            await asyncio.wait(self._background, timeout=5)
        if live is not None:
            await live.leave()
        await self._kept.aclose()

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs `work` to its end, whatever happens to whoever began it."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def via(self, received: str) -> str:
        """The outgoing `Via`. Raises LoopDetected when the request has been here before."""
        if not received:
            return self._hop
        hops = [hop.strip() for hop in received.split(",") if "ailb-" in hop]
        if any(hop.endswith(self.id) for hop in hops) or len(hops) >= MOST_HOPS:
            raise LoopDetected("this request has been through this gateway before: a provider's base_url leads back to it")
        return ", ".join([*hops, self._hop])

    def now(self) -> int:
        return int(self._clock.unix())

    async def _idle_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while self._open[0]:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            return False
        return True
