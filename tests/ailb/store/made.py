"""Databases that have all tables already. The migrations take longer than most tests, so what they made once is copied."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from asyncpg import connect  # type: ignore[import-untyped] # it brings no types
from sqlalchemy import create_engine, make_url

from ailb.clock import Clock
from ailb.secret import Secret
from ailb.store.database import Database
from ailb.store.migrate import _upgrade
from ailb.store.windows import Windows

EMPTY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica; -- foreign keys do not care in which order
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    PERFORM setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences WHERE schemaname = 'public';
END $$
"""


PATIENCE = 25.0


def patient(url: Secret, clock: Clock, windows: Windows | None = None) -> Database:
    """One that does not take a loaded machine for a database that is down."""
    return Database(url, clock, windows, patience=PATIENCE)


def made(folder: Path) -> Secret:
    """The URL of an SQLite file in `folder`; there may be one already."""
    file = folder / "ailb.db"
    if not file.exists():
        file.write_bytes(_tables())
    return Secret(f"sqlite+aiosqlite:///{file}")


@cache
def _tables() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "ailb.db"
        engine = create_engine(f"sqlite:///{file}")
        with engine.begin() as connection:
            _upgrade(connection)
        engine.dispose()
        return file.read_bytes()


async def emptied(url: Secret) -> None:
    """A PostgreSQL database is left without a row, and without whoever is still connected to it."""
    connection = await connect(make_url(url.reveal()).set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        await connection.execute(EMPTY)
    finally:
        await connection.close()
