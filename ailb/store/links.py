"""How the writer reaches its database: over a driver that waits for a server, or in a thread beside the file.

Each statement of SQLite in asyncio is a handful of steps from one thread to the other and back, which cost more than the statements. So
what is written in one transaction is written in one step: the same coroutines run in the thread, on a connection that never waits.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from queue import SimpleQueue
from sqlite3 import Error
from threading import Thread
from typing import Any, Final, Protocol, TypeVar, cast

import structlog
from sqlalchemy import Connection, Engine, Executable, NestedTransaction
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")
LOG = structlog.get_logger("ailb.store")
Work = Callable[[AsyncConnection], Coroutine[Any, Any, T]]


class Link(Protocol):
    """The only connection that writes. One transaction at a time."""

    committing: bool
    """Whether the last transaction had come to its commit when it failed, and may be there all the same."""

    async def transaction(self, work: Work[T]) -> T:
        """What `work` returns, committed. It may wait for the connection only."""

    async def disconnect(self) -> None:
        """The next transaction connects anew."""

    async def close(self) -> None:
        """The end."""


class Far:
    """A server."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.committing = False
        self._engine = engine
        self._connection: AsyncConnection | None = None

    async def transaction(self, work: Work[T]) -> T:
        self.committing = False
        if self._connection is None:
            self._connection = await self._engine.connect()
        async with self._connection.begin():
            result = await work(self._connection)
            self.committing = True
        return result

    async def disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close()
            # It failed before, or the server is gone: all the same, it is not used again.
            except Exception as error:  # noqa: BLE001 - see above
                LOG.debug("not closed", problem=type(error).__name__)

    async def close(self) -> None:
        await self.disconnect()


class Near:
    """A file."""

    def __init__(self, engine: Engine) -> None:
        self.committing = False  # never: what SQLite did not commit, as on a full disk, is not there
        self._engine = engine
        self._connection: Connection | None = None
        self._beside: Final = Beside("ailb-writer")

    async def transaction(self, work: Work[T]) -> T:
        return await self._beside.call(partial(self._transaction, work))

    async def disconnect(self) -> None:
        await self._beside.call(self._disconnect)

    async def close(self) -> None:
        await self.disconnect()
        self._beside.close()

    def _transaction(self, work: Work[T]) -> T:
        """SQLAlchemy is not told where it begins and ends: what it does there takes longer than most statements."""
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            # A transaction that begins with reading cannot wait for the lock any more when it comes to writing.
            driven(self._connection, "BEGIN IMMEDIATE")
            result = finished(work(cast(AsyncConnection, Direct(self._connection))))
            driven(self._connection, "COMMIT")
        # Whatever it was: without a connection, nothing of it is left.
        except BaseException:
            self._disconnect()
            raise
        return result

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Beside:
    """One thread, which does one thing after the other. An executor of the standard library takes a tenth of a small transaction for the
    way there and back.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Final = Thread(target=self._run, name=name, daemon=True)
        self._closed = False

    async def call(self, function: Callable[[], T]) -> T:
        """What it returns or raises. It is called all the same where nobody waits for it any more. Raises RuntimeError after `close`."""
        if self._closed:
            raise RuntimeError("the thread has come to its end")
        if self._thread.ident is None:
            self._thread.start()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.put(partial(_do, function, future))
        return await future

    def close(self) -> None:
        """The thread ends after what it was given before."""
        self._closed = True
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _do(function: Callable[[], T], future: asyncio.Future[T]) -> None:
    tell: Callable[[], None]
    try:
        tell = partial(future.set_result, function())
    # Whatever it is, it is for who waits, and the thread goes on.
    except BaseException as error:  # noqa: BLE001 - see above
        tell = partial(future.set_exception, error)
    with suppress(RuntimeError):  # the event loop is closed
        future.get_loop().call_soon_threadsafe(_tell, future, tell)


def _tell(future: asyncio.Future[Any], tell: Callable[[], None]) -> None:
    if not future.done():  # else who waited was cancelled
        tell()


class Direct:
    """A connection with the methods of an AsyncConnection that those who write use. None of them waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        return self._connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> Any:
        return self._connection.execute(statement, parameters)

    async def scalars(self, statement: Executable, parameters: Any = None) -> Any:
        return self._connection.scalars(statement, parameters)

    async def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        return self._connection.scalar(statement, parameters)

    async def exec_driver_sql(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """A cursor of the driver's; SQLAlchemy's own way around it takes longer than the statement. A list is of many rows."""
        return driven(self._connection, statement, parameters)

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[NestedTransaction]:
        with self._connection.begin_nested() as savepoint:
            yield savepoint


def driven(connection: Connection, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
    """A cursor that has executed it. Raises what SQLAlchemy would raise."""
    driver: Any = connection.connection.dbapi_connection
    try:
        if isinstance(parameters, list):
            return driver.executemany(statement, parameters)
        return driver.execute(statement, parameters)
    except Error as error:
        raise DBAPIError.instance(statement, None, error, Error, hide_parameters=True, dialect=connection.dialect) from error


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that waits for nothing. Raises RuntimeError for one that does."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise RuntimeError("whoever writes may wait for the connection only")
