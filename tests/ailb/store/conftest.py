"""A database for each test: SQLite in a file, and PostgreSQL.

PostgreSQL is the server that `AILB_TEST_POSTGRES` names (`postgresql+asyncpg://user@host:port/`), or a cluster of its own for the run, from
the binaries that Debian's package installs. Where there is neither, those tests are skipped.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from secrets import token_hex

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from ailb.secret import Secret
from ailb.store.database import Database
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.made import emptied, made, patient

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The server's URL, with an empty path."""
    if named := os.environ.get("AILB_TEST_POSTGRES"):
        yield named
        return
    if not BINARIES:
        pytest.skip("no PostgreSQL: install Debian's package postgresql, or name a server in AILB_TEST_POSTGRES")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, _cluster(Path(folder), port):
        yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}/"


@contextmanager
def _cluster(folder: Path, port: int) -> Iterator[None]:
    """PostgreSQL, from nothing to gone. It does not run as root."""
    as_user: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("runuser") is None:
            pytest.skip("no PostgreSQL: it does not run as root, and there is no runuser")
        as_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")

    def run(program: str, *arguments: str) -> None:
        command = [*as_user, str(BINARIES[0] / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)

    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200"
    options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    run("initdb", "-A", "trust", "-U", "postgres", "-N")
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield
    finally:
        run("pg_ctl", "-m", "immediate", "stop")


@asynccontextmanager
async def fresh(server: str) -> AsyncIterator[Secret]:
    """A database of its own on the server."""
    name = f"test_{token_hex(6)}"
    admin = create_async_engine(make_url(server).set(database="postgres"), isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name} STRATEGY file_copy"))
    try:
        yield Secret(make_url(server).set(database=name).render_as_string(hide_password=False))
    finally:
        async with admin.connect() as connection:
            await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        await admin.dispose()


@pytest.fixture(scope="session")
def kept(postgres: str) -> Iterator[Secret]:
    """A database for one test after the other, which `emptied` leaves as it was: a new one for each takes longer than most of them."""

    async def prepared() -> Secret:
        url = await databases.enter_async_context(fresh(postgres))
        async with patient(url, SetClock()) as database:
            await database.prepare()
        return url

    databases = AsyncExitStack()
    with ThreadPoolExecutor(1) as apart, asyncio.Runner() as runner:  # a loop runs here already
        yield apart.submit(runner.run, prepared()).result()
        apart.submit(runner.run, databases.aclose()).result()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Secret:
    """Of a file with all tables."""
    return made(tmp_path)


@pytest.fixture
async def postgres_url(postgres: str) -> AsyncIterator[Secret]:
    async with fresh(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Secret]:
    """Of a database with all tables, and nothing in them."""
    if request.param == "sqlite":
        yield made(tmp_path)
        return
    kept: Secret = request.getfixturevalue("kept")
    yield kept
    await emptied(kept)


@pytest.fixture
async def database(url: Secret, clock: SetClock) -> AsyncIterator[Database]:
    """With all tables, empty."""
    async with patient(url, clock) as database:
        await database.prepare()
        yield database
