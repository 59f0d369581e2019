"""How those who read reach the database: over a driver that waits for a server, or in threads beside the file. See `links`."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ailb.store.links import Direct, Work, finished

T = TypeVar("T")


class Readers(Protocol):
    """Connections that cannot write, and begin no transaction: each statement sees what was committed before it."""

    async def look(self, work: Work[T]) -> T:
        """What `work` returns. It may wait for the connection only."""

    async def close(self) -> None:
        """The end."""


class FarReaders:
    """A server."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def look(self, work: Work[T]) -> T:
        async with self._engine.connect() as connection:
            return await work(connection)

    async def close(self) -> None:
        """The engine is whose it was before."""


class NearReaders:
    """A file. As many threads as `engine` has connections: all statements of one look are one step of one of them. Whoever is cancelled has
    the statement ended that he waits for.
    """

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(threads, "ailb-reader")

    async def look(self, work: Work[T]) -> T:
        used: list[Any] = []
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._look, work, used)
        except asyncio.CancelledError:
            for driver in used:  # where it ended in this moment, and somebody else has it already, he is told that the store is busy
                driver.interrupt()
            raise

    async def close(self) -> None:
        """Who still reads has it closed by himself."""
        self._threads.shutdown(wait=False)
        self._engine.dispose()

    def _look(self, work: Work[T], used: list[Any]) -> T:
        with self._engine.connect() as connection:
            used.append(connection.connection.dbapi_connection)
            try:
                return finished(work(cast(AsyncConnection, Direct(connection))))
            finally:
                used.clear()
