"""The database: connections that read, and one writer that writes. SQLite in a file for one process, PostgreSQL for several."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sqlalchemy import Executable
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.clock import Clock
from ailb.errors import Unavailable
from ailb.secret import Secret
from ailb.store.connections import READERS, checked, engine, near
from ailb.store.links import Far, Near, Work
from ailb.store.migrate import migrate
from ailb.store.readers import FarReaders, NearReaders, Readers
from ailb.store.windows import Windows
from ailb.store.writer import Writer, down, is_down, one_by_one

T = TypeVar("T")
MIGRATION_MS: Final = 60_000
"""The same while tables are made, and for who waits for another one that makes them."""

READ_SECONDS: Final = 2.0
"""The last resort, for a server that does not even keep its own limits."""

CATCH_UP_SECONDS: Final = 0.5


class Database:
    """Open between `async with` and its end; usable once `prepare` has found or made the tables.

    Methods raise Unavailable where the database is down or takes too long. None of them hangs. `patience`: how many times as long as
    usual it may take.
    """

    def __init__(self, url: Secret, clock: Clock, windows: Windows | None = None, *, patience: float = 1.0) -> None:
        self.url = checked(url)
        self.windows = windows or Windows()
        """Where the weeks and months of budgets begin."""

        self._clock = clock
        self._patience = patience
        self._reads = engine(self.url, writes=False, patience=patience)
        self._writes = engine(self.url, writes=True, patience=patience)
        self._reading: set[asyncio.Task[Any]] = set()
        if self.is_sqlite:
            self._readers: Readers = NearReaders(near(self.url, writes=False, patience=patience), READERS)
            self.writer = Writer(Near(near(self.url, writes=True, patience=patience)))
        else:
            self._readers = FarReaders(self._reads)
            self.writer = Writer(Far(self._writes))
        self.ready = False
        """Whether the tables are there."""

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """Where SQLite keeps it; None for a server."""
        return Path(self.url.database or "") if self.is_sqlite else None

    @property
    def healthy(self) -> bool:
        """Whether the tables are there and the last transaction went through."""
        return self.ready and not self.writer.failing

    async def __aenter__(self) -> Self:
        self.writer.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Writes what still waits."""
        await self.writer.stop()
        self.ready = False
        if self._reading:  # whoever asked may be gone, but a connection that is in use cannot be closed
            await asyncio.wait(self._reading, timeout=READ_SECONDS)
        await self._readers.close()
        await self._reads.dispose()
        await self._writes.dispose()

    async def prepare(self) -> None:
        """Makes the tables, or brings them up to date. Raises ConfigError for tables of a newer version."""
        patient = engine(self.url, writes=True, wait_ms=MIGRATION_MS, patience=self._patience)
        try:
            with _outages():
                await migrate(patient)
        finally:
            await patient.dispose()
        self.ready = True

    async def read(self, statement: Executable) -> list[RowMapping]:
        """All rows, as of what was committed before."""

        async def rows(connection: AsyncConnection) -> list[RowMapping]:
            return list((await connection.execute(statement)).mappings())

        return await self.look(rows)

    async def look(self, work: Work[T]) -> T:
        """What `work` returns, which reads with several statements, each as of what was committed before it. It must not wait for anything
        but the connection, and may run in another thread.
        """
        self.check()
        task = asyncio.ensure_future(self._look(work))  # of its own: a cancelled caller must not leave a statement behind
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)
        try:
            async with asyncio.timeout(READ_SECONDS * self._patience):
                return await asyncio.shield(task)
        except TimeoutError as error:
            task.cancel()
            raise down(error) from error

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `work` returns, once it is committed. What it raises is raised, and of what it wrote nothing is kept.

        `work` runs in the writer's task, within a transaction that it shares with others: it must not wait for anything but the
        connection. A caller that is cancelled stops waiting; the work is done all the same.
        """
        self.check()
        result: T = await asyncio.shield(self.writer.put(one_by_one, work))
        return result

    async def catch_up(self) -> None:
        """Once this process has written what it had to write, or half a second later. Who asks what an answer cost, right after it, wants
        to see it, and a charge is in no hurry to be written. While nothing can be written, what is there is all that there is to see.
        """
        if self.writer.busy:
            with suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(CATCH_UP_SECONDS * self._patience):
                    await self.write(_nothing)

    async def stream(self, statement: Executable) -> AsyncIterator[RowMapping]:
        """Row by row, for what is too much for the memory."""
        self.check()
        async with AsyncExitStack() as open:
            with _outages():
                connection = await open.enter_async_context(self._reads.connect())
                if not self.is_sqlite:  # its cursors live in transactions only
                    await connection.execution_options(isolation_level="READ COMMITTED")
                result = await open.enter_async_context(connection.stream(statement))
                async for row in result.mappings():
                    yield row

    def check(self) -> None:
        """Raises Unavailable as long as there are no tables."""
        if not self.ready:
            raise Unavailable("the store is not ready", headers={"retry-after": "1"})

    def micros(self) -> int:
        """Now, in microseconds since 1970."""
        return int(self._clock.unix() * 1_000_000)

    def monotonic(self) -> float:
        """Seconds from anywhere, for durations."""
        return self._clock.monotonic()

    async def _look(self, work: Work[T]) -> T:
        with _outages():
            return await self._readers.look(work)


async def _nothing(connection: AsyncConnection) -> None:
    """Comes after all that was put before it."""


@contextmanager
def _outages() -> Iterator[None]:
    """Outages as Unavailable, all else as it is."""
    try:
        yield
    # Drivers raise what they like when a server goes away: which of it is an outage, `is_down` knows.
    except Exception as error:
        if is_down(error):
            raise down(error) from error
        raise
