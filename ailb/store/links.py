"""How the writer reaches its database: over a driver that waits for a server, or in a thread beside the file.

Each statement of SQLite in asyncio is a handful of steps from one thread to the other and back, which cost more than the statements. So
what is written in one transaction is written in one step: the same coroutines run in the thread, on a connection that never waits.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from sqlite3 import Error
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
        self._thread: Final = ThreadPoolExecutor(1, "ailb-writer")

    async def transaction(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, work)

    async def disconnect(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)

    async def close(self) -> None:
        await self.disconnect()
        self._thread.shutdown(wait=False)

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
