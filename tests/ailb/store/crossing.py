"""One of two processes that want the same budgets in another order: `python -m tests.ailb.store.crossing URL NAME ROUNDS`."""

import asyncio
import sys

from ailb.clock import Clock
from ailb.errors import Unavailable
from ailb.secret import Secret
from tests.ailb.store.made import patient
from tests.ailb.store.money import Bank, charge, intent

USERS = ("ann", "bob", "cid", "dan")


async def cross(url: str, name: str, rounds: int) -> int:
    """How many were held and settled."""
    done = 0
    users = USERS if name < "p2" else USERS[::-1]
    async with patient(Secret(url), Clock()) as database:
        await database.prepare()
        bank = Bank(database, name)

        async def one(user: str, number: int) -> None:
            nonlocal done
            models = ("m", "n") if name < "p2" else ("n", "m")
            for model in models:
                hold = await bank.books.hold(intent(user, model=model, provider=f"p{number % 3}"))
                await bank.books.settle(hold, charge(1))
                done += 1

        for number in range(rounds):
            try:
                await asyncio.gather(*(one(user, number) for user in users))
                await bank.budgets.set("user", users[number % 4], period="daily", limit_nanos=10**9 + number)
            except Unavailable:  # a busy machine; whoever was refused holds nothing
                continue
    return done


if __name__ == "__main__":
    sys.stdout.write(str(asyncio.run(cross(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
