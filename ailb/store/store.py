"""Everything durable, opened for the life of the process: the database, and what is kept in it."""

import asyncio
import fcntl
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import structlog

from ailb.clock import Clock
from ailb.errors import ConfigError, Unavailable
from ailb.secret import Secret
from ailb.store.books import Books
from ailb.store.budgets import Budgets
from ailb.store.database import Database
from ailb.store.embeddings import Embeddings
from ailb.store.keys import KeyStore
from ailb.store.replays import StoredReplays
from ailb.store.sessions import StoredSessions
from ailb.store.spend import Spend
from ailb.store.sweeper import BEAT_SECONDS, Sweeper
from ailb.store.windows import Windows

if TYPE_CHECKING:
    from ailb.library import Library

LOG = structlog.get_logger("ailb.store")


SERVER: Final = "postgresql+asyncpg://user:password@host/name"


class Store:
    """The services that are in the database.

    `serving`: this process holds money, so it says that it is alive, and has a SQLite file for itself. Commands that look or change
    something while a gateway runs beside them do not. `patience`: see Database.
    """

    def __init__(self, url: Secret, clock: Clock, windows: Windows | None = None, *, patience: float = 1.0, serving: bool = True) -> None:
        """Opens nothing. Raises ConfigError."""
        self.id = token_hex(8)
        self.database = Database(url, clock, windows, patience=patience)
        self.ledger = Books(self.database, self.id)
        self.budgets = Budgets(self.database)
        self.keys = KeyStore(self.database, clock)
        self.replays = StoredReplays(self.database, self.id)
        self.embeddings = Embeddings(self.database)
        self.spend = Spend(self.database)
        self.sessions = StoredSessions(self.database)
        self.library: Library | None = None
        """Documents; set before it is opened, where they are served."""

        self._serving = serving
        self._sweeper = Sweeper(self.database, self.ledger, self.id, alone=self.database.is_sqlite)
        self._open = AsyncExitStack()
        self._beating: asyncio.Task[None] | None = None

    @property
    def healthy(self) -> bool:
        """Whether it can be written to, as far as is known: while serving, it is tried every second."""
        return self.database.healthy

    @property
    def dependencies(self) -> Mapping[str, bool | None]:
        return {"store": self.healthy, **({} if self.library is None else self.library.dependencies)}

    async def __aenter__(self) -> Self:
        """A gateway starts without its database and goes on trying; a command raises Unavailable. Raises ConfigError."""
        async with AsyncExitStack() as opening:
            if self._serving and self.database.file is not None:
                opening.callback(os.close, _lock(self.database.file))
            await opening.enter_async_context(self.database)
            if self._serving:
                await self._try()
                self._beating = asyncio.create_task(self._beat())
            else:
                await self.database.prepare()
            await opening.enter_async_context(self.keys)
            if self.library is not None:
                await opening.enter_async_context(self.library)
            self._open = opening.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """After everything that waits was written, if it can be."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait((self._beating,))
            with suppress(Unavailable):
                await self._sweeper.leave()
        await self._open.aclose()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self._try()
            # Whatever it was, the next beat may do better; a process that stops to beat loses its holds.
            except Exception as problem:
                LOG.error("store", problem=str(problem), exc_info=not isinstance(problem, ConfigError))

    async def _try(self) -> None:
        """One beat, with the tables made before if they were not. Raises ConfigError."""
        try:
            if not self.database.ready:
                await self.database.prepare()
            swept = await self._sweeper.beat()
        except Unavailable:
            return
        if swept:
            LOG.warning("holds of dead processes settled at their worst case", count=swept)


def _lock(file: Path) -> int:
    """A lock beside the file, which ends with the process, however it ends. Raises ConfigError."""
    where, path = "[store].url", Path(f"{file}.lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise ConfigError(where, f"{path} cannot be written: {problem.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise ConfigError(where, f"another gateway has {file}; for several, set {SERVER}") from None
    return lock
