"""The database: connections that read, and one writer that writes. SQLite in a file for one process, PostgreSQL for several."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, Executable, NullPool, create_engine, event, make_url
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ailb.clock import Clock
from ailb.errors import ConfigError, Unavailable
from ailb.secret import Secret
from ailb.store.links import Far, Near, driven
from ailb.store.migrate import migrate
from ailb.store.windows import Windows
from ailb.store.writer import Writer, down, is_down, one_by_one

T = TypeVar("T")
_LOCK: Final = 0x41494C42
"""PostgreSQL's advisory lock for whoever writes."""

WAIT_MS: Final = 800
"""The longest that the database may take for one statement, or to give a lock."""

MIGRATION_MS: Final = 60_000
"""The same while tables are made, and for who waits for another one that makes them."""

READ_SECONDS: Final = 2.0
"""The last resort, for a server that does not even keep its own limits."""

CATCH_UP_SECONDS: Final = 0.5
READERS: Final = 4
_PRAGMAS: Final = (f"busy_timeout={WAIT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "journal_size_limit=67108864")


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
        self._reads = _engine(self.url, writes=False, patience=patience)
        self._writes = _engine(self.url, writes=True, patience=patience)
        self._reading: set[asyncio.Task[list[RowMapping]]] = set()
        self.writer = Writer(Near(_near(self.url)) if self.is_sqlite else Far(self._writes))
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
        await self._reads.dispose()
        await self._writes.dispose()

    async def prepare(self) -> None:
        """Makes the tables, or brings them up to date. Raises ConfigError for tables of a newer version."""
        patient = _engine(self.url, writes=True, wait_ms=MIGRATION_MS, patience=self._patience)
        try:
            with _outages():
                await migrate(patient)
        finally:
            await patient.dispose()
        self.ready = True

    async def read(self, statement: Executable) -> list[RowMapping]:
        """All rows, as of what was committed before."""
        self.check()
        task = asyncio.ensure_future(self._read(statement))  # of its own: a cancelled caller must not leave a statement behind
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

    async def _read(self, statement: Executable) -> list[RowMapping]:
        with _outages():
            async with self._reads.connect() as connection:
                return list((await connection.execute(statement)).mappings())


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


def checked(url: Secret) -> URL:
    """Raises ConfigError for what is none of the two databases."""
    where = "[store].url"
    try:
        made = make_url(url.reveal())
    except ArgumentError:
        raise ConfigError(where, "is no database URL, such as sqlite+aiosqlite:///ailb.db") from None
    if made.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        raise ConfigError(where, "must begin with sqlite+aiosqlite:// or postgresql+asyncpg://")
    if made.drivername == "sqlite+aiosqlite" and made.database in (None, "", ":memory:"):
        raise ConfigError(where, "must name a file: sqlite+aiosqlite:///ailb.db")
    if made.drivername == "postgresql+asyncpg" and find_spec("asyncpg") is None:
        raise ConfigError(where, "needs PostgreSQL's driver: pip install 'ailb[postgres]'")
    return made


def _engine(url: URL, *, writes: bool, wait_ms: float = WAIT_MS, patience: float) -> AsyncEngine:
    options: dict[str, Any] = {"hide_parameters": True}
    wait_ms *= patience
    if writes:
        options["poolclass"] = NullPool  # the writer keeps its connection
    else:
        options |= {
            "pool_size": READERS,
            "max_overflow": 0,
            "pool_timeout": patience,
            "pool_pre_ping": True,
            "isolation_level": "AUTOCOMMIT",
        }
    if url.get_backend_name() != "sqlite":
        limits = {name: str(int(wait_ms)) for name in ("statement_timeout", "lock_timeout")}
        limits |= {"idle_in_transaction_session_timeout": str(max(2000, int(wait_ms))) if writes else "0", "application_name": "ailb"}
        options["connect_args"] = {"timeout": patience, "command_timeout": wait_ms / 1000 + 0.2, "server_settings": limits}
        engine = create_async_engine(url, **options)
        if writes:
            event.listen(engine.sync_engine, "begin", _begin_postgres)
        return engine
    engine = create_async_engine(url, **options)
    event.listen(engine.sync_engine, "connect", _write_pragmas if writes else _read_pragmas)
    if writes:
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _near(url: URL) -> Engine:
    """The same file without asyncio, for a thread."""
    options: dict[str, Any] = {"hide_parameters": True, "poolclass": NullPool, "connect_args": {"check_same_thread": False}}
    engine = create_engine(url.set(drivername="sqlite"), **options)
    event.listen(engine, "connect", _write_pragmas)
    event.listen(engine, "begin", _begin_near)
    return engine


def _write_pragmas(connection: Any, record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _read_pragmas(connection: Any, record: object) -> None:
    _write_pragmas(connection, record)
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that begins with reading cannot wait for the lock any more when it comes to writing."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_near(connection: Connection) -> None:
    driven(connection, "BEGIN IMMEDIATE")


def _begin_postgres(connection: Connection) -> None:
    """One writer at a time, as in SQLite: what a transaction has read stays true until its end, and no two wait for each other's rows.

    It costs little, as each writer commits for all its requests together.
    """
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
