import asyncio
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from ailb.clock import Clock
from ailb.errors import ConfigError, Unavailable
from ailb.secret import Secret
from ailb.store.schema import ENTRIES, HOLDS, PROCESSES
from ailb.store.store import Store
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.money import Bank, charge, intent

SOON = 10.0


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not true():
            await asyncio.sleep(0.01)


async def test_what_was_written_is_there_when_it_is_opened_again(url: Secret, clock: SetClock) -> None:
    async with Store(url, clock) as store:
        assert store.healthy
        await store.budgets.set("user", "ann", period="daily", limit_nanos=1000)
        store.ledger.settle(await store.ledger.hold(intent()), charge(40))
    assert not store.healthy
    async with Store(url, clock) as store:
        (state,) = await store.budgets.get("user", "ann")
        assert (40, 0) == (state.spent_nanos, state.held_nanos)
        assert [store.id] == [row["id"] for row in await Bank(store.database).rows(PROCESSES)]


async def test_nothing_is_opened_before_it_is_entered(clock: SetClock, tmp_path: Path) -> None:
    Store(Secret(f"sqlite+aiosqlite:///{tmp_path}/ailb.db"), clock)
    assert [] == list(tmp_path.iterdir())


async def test_a_second_gateway_on_a_file_is_told_what_to_set(sqlite_url: Secret, clock: SetClock) -> None:
    async with Store(sqlite_url, clock):
        with pytest.raises(ConfigError, match="postgresql"):
            await Store(sqlite_url, clock).__aenter__()
        async with Store(sqlite_url, clock, serving=False) as beside:
            await beside.budgets.set("user", "ann", period="daily", limit_nanos=1000)
    async with Store(sqlite_url, clock):
        pass


async def test_a_file_that_cannot_be_written_is_an_error_of_the_configuration(clock: SetClock, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        await Store(Secret(f"sqlite+aiosqlite:///{tmp_path}/none/ailb.db"), clock).__aenter__()


DIES = """
import asyncio, os, sys
from ailb.clock import Clock
from ailb.secret import Secret
from ailb.store.store import Store
from tests.ailb.store.money import charge, intent

async def main():
    async with Store(Secret(sys.argv[1]), Clock()) as store:
        await store.budgets.set("user", "ann", period="total", limit_nanos=100_000)
        for number in range(20):
            hold = await store.ledger.hold(intent())
            if number < 15:
                await store.ledger.settle(hold, charge(1))
        os._exit(9)

asyncio.run(main())
"""


async def test_what_a_process_held_that_was_killed_is_settled_at_its_worst(sqlite_url: Secret) -> None:
    root = Path(__file__).resolve().parents[3]
    died = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", DIES, sqlite_url.reveal()], cwd=root, check=False)
    assert died.returncode == 9
    with capture_logs() as lines:
        async with Store(sqlite_url, Clock()) as store:
            bank = Bank(store.database)
            await bank.check()
            assert [] == await bank.rows(HOLDS)
            entries = await bank.rows(ENTRIES)
            assert (15, 5) == (sum(row["status"] == "complete" for row in entries), sum(row["estimated"] for row in entries))
            (state,) = await store.budgets.get("user", "ann")
            assert (15 + 5 * 100, 0) == (state.spent_nanos, state.held_nanos)
    assert [5] == [line["count"] for line in lines if "count" in line]


async def test_a_database_that_comes_later_is_waited_for(postgres_url: Secret, clock: SetClock) -> None:
    """A gateway that starts before its database is not ready, and becomes it by itself."""
    server = make_url(postgres_url.reveal())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    late = Secret(server.set(port=port).render_as_string(hide_password=False))
    with capture_logs():
        async with Store(late, clock) as store:
            assert not store.healthy
            with pytest.raises(Unavailable):
                await store.ledger.hold(intent())
            async with await asyncio.start_server(_to(server.port or 5432), "127.0.0.1", port):
                await until(lambda: store.healthy)
                await store.ledger.settle(await store.ledger.hold(intent()), charge(1))


def _to(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Passes connections on."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    return passed
