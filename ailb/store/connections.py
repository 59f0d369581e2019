"""How connections to either database are made: how long they wait, what they may do, and how a transaction begins."""

from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, ExceptionContext, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ailb.errors import ConfigError
from ailb.secret import Secret

_LOCK: Final = 0x41494C42
"""PostgreSQL's advisory lock for whoever writes."""

WAIT_MS: Final = 800
"""The longest that the database may take for one statement, or to give a lock."""

READERS: Final = 4
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "journal_size_limit=67108864")


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


def engine(url: URL, *, writes: bool, wait_ms: float = WAIT_MS, patience: float) -> AsyncEngine:
    """Of either database. `patience`: how many times as long as usual it may take."""
    wait_ms *= patience
    options = _options(writes) | {"pool_pre_ping": not writes}
    if not writes:
        options["pool_timeout"] = patience
    if url.get_backend_name() == "sqlite":
        made = create_async_engine(url, **options)
        _pragmas(made.sync_engine, writes, wait_ms)
        if writes:
            event.listen(made.sync_engine, "begin", _begin_sqlite)
        return made
    limits = {name: str(int(wait_ms)) for name in ("statement_timeout", "lock_timeout")}
    limits |= {"idle_in_transaction_session_timeout": str(max(2000, int(wait_ms))) if writes else "0", "application_name": "ailb"}
    options["connect_args"] = {"timeout": patience, "command_timeout": wait_ms / 1000 + 0.2, "server_settings": limits}
    made = create_async_engine(url, **options)
    event.listen(made.sync_engine, "handle_error", _dropped)
    if writes:
        event.listen(made.sync_engine, "begin", _begin_postgres)
    return made


def near(url: URL, *, writes: bool, patience: float) -> Engine:
    """SQLite's file without asyncio, for the thread that writes, which begins its transactions itself, or for READERS that read."""
    made = create_engine(url.set(drivername="sqlite"), connect_args={"check_same_thread": False}, **_options(writes))
    _pragmas(made, writes, WAIT_MS * patience)
    return made


def _options(writes: bool) -> dict[str, Any]:
    """Who writes keeps the connection."""
    options: dict[str, Any] = {"hide_parameters": True}
    if writes:
        return options | {"poolclass": NullPool}
    return options | {"pool_size": READERS, "max_overflow": 0, "isolation_level": "AUTOCOMMIT"}


def _pragmas(engine: Engine, writes: bool, wait_ms: float) -> None:
    pragmas = (f"busy_timeout={int(wait_ms)}", *_PRAGMAS, *(() if writes else ("query_only=ON",)))
    event.listen(engine, "connect", partial(_connected, pragmas))


def _connected(pragmas: tuple[str, ...], connection: Any, record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _dropped(context: ExceptionContext) -> None:
    """A server that did not answer is told nothing more: it would not answer a rollback or a farewell either, and somebody waits."""
    if isinstance(context.original_exception, TimeoutError) and context.connection is not None:
        driver: Any = context.connection.connection.driver_connection
        driver.terminate()
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False  # each of the others finds out for itself


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that begins with reading cannot wait for the lock any more when it comes to writing."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgres(connection: Connection) -> None:
    """One writer at a time, as in SQLite: what a transaction has read stays true until its end, and no two wait for each other's rows.

    It costs little, as each writer commits for all its requests together.
    """
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
