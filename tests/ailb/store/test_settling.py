from typing import Any

import pytest

from ailb.ledger import Charge
from ailb.store.database import Database
from ailb.store.schema import ENTRIES, HOLDS, SPEND
from ailb.store.settling import worst
from ailb.usage import Usage
from tests.ailb.store.money import Bank, charge, intent

FULL = Charge("broken", Usage(10, 9, 3, 2, 1, 4, 5, 2), 77, True, 502, "it\0 broke" + "!" * 2000, 1200, 300)


async def test_an_entry_has_everything_that_is_known(database: Database) -> None:
    bank = Bank(database)
    hold = await bank.books.hold(intent(session_id="s1"))
    await bank.books.settle(hold, FULL)
    (entry,) = await bank.rows(ENTRIES)
    told: dict[str, Any] = {name: entry[name] for name in ("input", "output", "cached", "cache_written", "cache_written_1h", "reasoning")}
    assert told == {"input": 10, "output": 9, "cached": 3, "cache_written": 2, "cache_written_1h": 1, "reasoning": 4}
    assert (5, 2, 502, 1200, 300, "s1", "alias") == tuple(
        entry[name] for name in ("audio_input", "audio_output", "http_status", "latency_ms", "first_event_ms", "session_id", "asked")
    )
    assert entry["error"].startswith("it? broke!")
    assert len(entry["error"]) == 1000
    assert entry["estimated"] is True


async def test_of_two_charges_in_one_transaction_the_first_counts(database: Database) -> None:
    bank = Bank(database)
    hold = await bank.books.hold(intent())
    await database.write(
        lambda connection: bank.books.close_out(connection, [(hold.id, charge(1)), (hold.id, charge(2)), ("none", charge(3))])
    )
    assert [1] == [row["nanos"] for row in await bank.rows(ENTRIES)]


async def test_what_was_never_asked_leaves_no_entry(database: Database) -> None:
    bank = Bank(database)
    hold = await bank.books.hold(intent())
    await database.write(lambda connection: bank.books.close_out(connection, [(hold.id, None)]))
    assert ([], [], []) == tuple([await bank.rows(table) for table in (HOLDS, ENTRIES, SPEND)])


@pytest.mark.parametrize(("prompt", "tokens"), [(10, 100), (0, 0), (10, 10)])
def test_the_worst_is_what_was_held(prompt: int, tokens: int) -> None:
    charge = worst({"prompt_tokens": prompt, "tokens": tokens, "nanos": 5})
    assert (5, tokens, True, "broken") == (charge.nanos, charge.usage.total, charge.estimated, charge.status)
