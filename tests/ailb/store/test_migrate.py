import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, inspect, select, text

from ailb.errors import ConfigError
from ailb.secret import Secret
from ailb.store import migrate, schema_documents, schema_sessions  # noqa: F401 - METADATA knows what was imported
from ailb.store.database import Database
from ailb.store.schema import ENTRIES, METADATA
from ailb.store.windows import DAY
from ailb.store.words import Words, space
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.conftest import fresh
from tests.ailb.store.ledgers import write
from tests.ailb.store.made import patient


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Secret]:
    """Of a database in which there is nothing yet."""
    if request.param == "sqlite":
        yield Secret(f"sqlite+aiosqlite:///{tmp_path}/ailb.db")
        return
    async with fresh(request.getfixturevalue("postgres")) as url:
        yield url


def differences(connection: Connection) -> list[object]:
    def ours(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        table = getattr(thing, "table", thing)
        return "_words" not in str(getattr(table, "name", ""))  # the lexical indexes, which are no business of SQLAlchemy's

    options = {"compare_server_default": True, "include_object": ours}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def checks(connection: Connection) -> dict[str, set[str | None]]:
    """Alembic does not compare the CHECKs."""
    found = inspect(connection)
    return {name: {check["name"] for check in found.get_check_constraints(name)} for name in METADATA.tables}


async def test_the_migrations_make_exactly_the_schema(database: Database) -> None:
    made = {
        name: {str(check.name) for check in table.constraints if isinstance(check, CheckConstraint)}
        for name, table in METADATA.tables.items()
    }
    async with database._reads.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(checks) == made


async def test_two_that_start_at_once_make_them_once(url: Secret, clock: SetClock) -> None:
    databases = [patient(url, clock) for _ in range(4)]
    await asyncio.gather(*(database.prepare() for database in databases))
    assert all(database.ready for database in databases)
    for database in databases:
        async with database:
            pass


async def test_a_ledger_of_the_first_version_is_brought_up_to_date(database: Database) -> None:
    await write(database, {"at": DAY})
    newer = ["sessions", "turns", "collections", "documents", "chunks", "embeddings", "turns_words", "chunks_words"]
    if database.is_sqlite:
        newer += [f"{name}_words_{part}" for name in ("turns", "chunks") for part in ("index", "spaces")]
    older = [f"ALTER TABLE entries DROP COLUMN {name}" for name in ("corrects", "corrected_at", "reason")]
    older += [f"DROP TABLE {name}" for name in newer]
    async with database._writes.begin() as connection:
        for statement in [*older, "UPDATE alembic_version SET version_num = '0001'"]:
            await connection.execute(text(statement))
    await database.prepare()
    (row,) = await database.read(select(ENTRIES))
    assert (100, None, None) == (row["nanos"], row["corrects"], row["reason"])
    async with database._reads.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_words_of_an_older_version_are_found(url: Secret, clock: SetClock) -> None:
    """SQLite's index was one over all spaces."""
    async with patient(url, clock) as database:
        async with database._writes.begin() as connection:
            await connection.run_sync(migrate._upgrade, "0003")
        words, (mine, theirs) = Words(database, "chunks_words"), (space("mine"), space("theirs"))
        old = "INSERT INTO chunks_words (rowid, space, words) VALUES (:id, :space, :words)"
        if not database.is_sqlite:
            old = "INSERT INTO chunks_words (id, space, words) VALUES (:id, :space, to_tsvector('english', :words))"
        rows = [{"id": 7, "space": mine, "words": "the max_retries option"}, {"id": 8, "space": theirs, "words": "other options"}]
        async with database._writes.begin() as connection:
            await connection.execute(text(old), rows)
        await database.prepare()
        assert [[7], [7], [8]] == [
            [id for id, _ in await words.find(where, question, 9)]
            for where, question in ((mine, "Which option?"), (mine, "retries"), (theirs, "option"))
        ]
        await database.write(lambda connection: words.remove(connection, [7]))
        assert [] == await words.find(mine, "option", 9)
        assert [8] == [id for id, _ in await words.find(theirs, "option", 9)]


async def test_tables_of_a_newer_version_are_left_alone(database: Database) -> None:
    async with database._writes.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer version"):
        await database.prepare()


def test_the_head_is_the_newest_revision() -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert scripts.get_current_head() == migrate.HEAD
