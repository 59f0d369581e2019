"""The tables, made or brought up to date when the database is opened."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, String, column, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

from ailb.errors import ConfigError

HEAD: Final = "0004"
"""The newest revision in `migrations/versions`."""

_FOLDER: Final = Path(__file__).parent / "migrations"


async def migrate(engine: AsyncEngine) -> None:
    """Up to HEAD. Only one writes at a time: whoever comes second waits, and finds the work done.

    Raises ConfigError for what a newer version has made.
    """
    async with engine.begin() as connection:
        if await connection.run_sync(_version) != HEAD:
            await connection.run_sync(_upgrade)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(select(column("version_num", String)).select_from(table("alembic_version")))
    return None if found is None else str(found)


def _upgrade(connection: Connection, to: str = HEAD) -> None:
    from alembic import command  # takes longer than all else at the start, and is needed once
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    found = _version(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigError("[store].url", f"the database was made by a newer version (its revision {found} is not known here)")
    command.upgrade(config, to)
