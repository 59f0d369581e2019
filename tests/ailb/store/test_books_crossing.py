"""Two processes want the same rows in opposite orders (FAULTS D10): nobody waits for ever, because only one writes at a time."""

import asyncio
import sys

import pytest
from sqlalchemy import text

from ailb.clock import Clock
from ailb.secret import Secret
from ailb.store.schema import ENTRIES
from tests.ailb.store.crossing import USERS
from tests.ailb.store.made import patient
from tests.ailb.store.money import Bank

ROUNDS = 150


@pytest.mark.timeout(300)
async def test_no_deadlock_in_thousands_of_transactions(postgres_url: Secret) -> None:
    url = postgres_url.reveal()
    async with patient(postgres_url, Clock()) as database:
        await database.prepare()
        bank = Bank(database)
        for scope, id in [("global", ""), *(("user", user) for user in USERS), ("model", "m"), ("model", "n"), ("provider", "p0")]:
            await bank.budgets.set(scope, id, period="daily", limit_nanos=10**9)
        command = ("-m", "tests.ailb.store.crossing", url)
        running = [
            await asyncio.create_subprocess_exec(sys.executable, *command, name, str(ROUNDS), stdout=asyncio.subprocess.PIPE)
            for name in ("p1", "p2")
        ]
        said = [(await process.communicate())[0] for process in running]
        assert [0, 0] == [process.returncode for process in running]
        done = sum(map(int, said))
        assert done > ROUNDS * len(USERS) * 2
        assert len(await bank.rows(ENTRIES)) >= done
        await bank.check()
        (found,) = await database.read(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
        assert 0 == found["deadlocks"]
