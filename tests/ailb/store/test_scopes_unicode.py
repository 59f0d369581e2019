"""Names that look alike, or compare alike somewhere (FAULTS G5): to a database they are as many rows as names."""

from ailb.store.database import Database
from ailb.store.schema import COUNTERS, HOLDS, SPEND
from tests.ailb.store.money import Bank, charge, intent

ALIKE = (
    *("ann", "Ann", "ANN", "\u0430nn", "\uff41nn", "an\u0144", "\u00e5nn", "a\ufe0fnn", "\u00aann"),
    *(
        "\u05d0nn",
        "nn\u05d0",
        "stra\u00dfe",
        "strasse",
        "\u0131",
        "i",
        "\u0130",
        "\U0001f600",
        "\U0001f601",
        "\U0001f44d",
        "\U0001f44d\U0001f3fd",
    ),
    *("ann'", "ann\\", "ann%", "ann_", "x" * 256, "x" * 255 + "y"),
)


async def test_nobody_shares_a_row(database: Database) -> None:
    bank = Bank(database)
    for number, user in enumerate(ALIKE):
        await bank.budgets.set("user", user, period="daily", limit_nanos=1000 + number)
    for number, user in enumerate(ALIKE):
        hold = await bank.books.hold(intent(user))
        await bank.books.settle(hold, charge(number + 1))
    found = {user: await bank.budgets.get("user", user) for user in ALIKE}
    assert {user: (1000 + number, number + 1) for number, user in enumerate(ALIKE)} == {
        user: (state.limit_nanos, state.spent_nanos) for user, (state,) in found.items()
    }
    assert len(ALIKE) == len(await bank.rows(COUNTERS)) == len(await bank.rows(SPEND))
    assert [] == await bank.rows(HOLDS)
    await bank.check()
