from sqlalchemy import bindparam, insert, select, update

from ailb.store.database import Database
from ailb.store.many import Many
from ailb.store.schema import REVISIONS

INSERT = Many(insert(REVISIONS), ("number", "name"))
UPDATE = Many(update(REVISIONS).where(REVISIONS.c.name == bindparam("of")).values(number=bindparam("to")), ("of", "to"))


async def test_rows_are_in_the_order_of_the_names(database: Database) -> None:
    for _ in range(2):
        await database.write(lambda connection: INSERT.execute(connection, []))
    await database.write(lambda connection: INSERT.execute(connection, [(1, "a"), (2, "b"), (3, "c")]))
    await database.write(lambda connection: UPDATE.execute(connection, [("a", 10), ("b", 20)]))
    rows = await database.read(select(REVISIONS).order_by(REVISIONS.c.name))
    assert [("a", 10), ("b", 20), ("c", 3)] == [(row["name"], row["number"]) for row in rows]
