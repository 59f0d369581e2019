import pytest
from sqlalchemy import select

from ailb.errors import Conflict
from ailb.store import prune as pruning
from ailb.store.database import Database
from ailb.store.prune import CHUNK, count, exported, mark, newest, prune, put_mark
from ailb.store.schema import SPEND
from ailb.store.spend import DAY
from tests.ailb.store.ledgers import write


async def test_old_rows_go_and_their_sums_stay(database: Database) -> None:
    await write(database, {"at": DAY}, {"at": 2 * DAY - 1}, {"at": 2 * DAY})
    await put_mark(database, "exported", 3 * DAY)
    assert [2, 0] == [await prune(database, 2 * DAY), await prune(database, 2 * DAY)]
    assert (0, 1, 2 * DAY) == (await count(database, 0, 2 * DAY), await count(database, 0, 9 * DAY), await mark(database, "pruned"))
    assert 300 == sum(row["nanos"] for row in await database.read(select(SPEND)))


async def test_a_chunk_at_a_time(database: Database) -> None:
    await write(database, *({} for _ in range(CHUNK + 1)))
    await put_mark(database, "exported", 3 * DAY)
    assert [CHUNK, 1, 0] == [await prune(database, 2 * DAY) for _ in range(3)]


async def test_what_was_not_exported_is_kept(database: Database) -> None:
    await write(database, {})
    await put_mark(database, "exported", 2 * DAY)
    with pytest.raises(Conflict, match="not exported"):
        await prune(database, 3 * DAY)
    assert (1, 0) == (await count(database, 0, 9 * DAY), await mark(database, "pruned"))


async def test_only_whole_days(database: Database) -> None:
    with pytest.raises(ValueError, match="whole days"):
        await prune(database, DAY + 1)


async def test_a_correction_that_came_while_rows_were_exported_is_exported_next_time(database: Database) -> None:
    correction = {"at": DAY + 5, "kind": "correction", "corrects": 1}
    await write(database, {"at": DAY + 5}, {"at": 4 * DAY}, correction, {"at": 2 * DAY})
    assert 4 == await newest(database)
    await exported(database, 3 * DAY, 2)
    assert DAY == await mark(database, "exported")
    await exported(database, 3 * DAY, 3)
    assert 3 * DAY == await mark(database, "exported")


async def test_the_newest_row_of_none(database: Database) -> None:
    assert 0 == await newest(database)


@pytest.mark.parametrize("name", ["exported", "pruned"])
async def test_a_mark_never_goes_back(database: Database, name: pruning.Mark) -> None:
    for at in (2 * DAY, DAY):
        await put_mark(database, name, at)
    assert 2 * DAY == await mark(database, name)
