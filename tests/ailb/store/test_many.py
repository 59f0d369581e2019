from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.store.database import Database
from ailb.store.many import Listed, Many
from ailb.store.schema import REVISIONS

INSERT = Many(insert(REVISIONS), ("number", "name"))
UPDATE = Many(update(REVISIONS).where(REVISIONS.c.name == bindparam("of")).values(number=bindparam("to")), ("of", "to"))
WHERE = select(REVISIONS).where(
    REVISIONS.c.name.in_(bindparam("names", expanding=True)), REVISIONS.c.number.in_(bindparam("numbers", expanding=True))
)
LISTED = Listed(WHERE, "names", "numbers")


async def test_rows_are_in_the_order_of_the_names(database: Database) -> None:
    for _ in range(2):
        await database.write(lambda connection: INSERT.execute(connection, []))
    await database.write(lambda connection: INSERT.execute(connection, [(1, "a"), (2, "b"), (3, "c")]))
    await database.write(lambda connection: UPDATE.execute(connection, [("a", 10), ("b", 20)]))
    rows = await database.read(select(REVISIONS).order_by(REVISIONS.c.name))
    assert [("a", 10), ("b", 20), ("c", 3)] == [(row["name"], row["number"]) for row in rows]


def found(*lists: Sequence[Any]) -> Callable[[AsyncConnection], Awaitable[Sequence[Sequence[Any]]]]:
    return lambda connection: LISTED.execute(connection, *lists)


async def test_lists_of_any_length_are_looked_for(database: Database) -> None:
    await database.write(lambda connection: INSERT.execute(connection, [(number, f"n{number}") for number in range(10)]))
    for length in (1, 2, 3, 5, 8):
        rows = await database.write(found([f"n{number}" for number in range(length)], [0, 1, 2, 99]))
        assert {(f"n{number}", number) for number in range(min(length, 3))} == {tuple(row) for row in rows}


async def test_lists_must_be_in_the_order_of_the_statement(database: Database) -> None:
    swapped = Listed(WHERE, "numbers", "names")
    with pytest.raises(ValueError, match="order of the statement"):
        await database.write(lambda connection: swapped.execute(connection, [1], ["a"]))
