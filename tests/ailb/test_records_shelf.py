import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from structlog.testing import capture_logs

from ailb.records import Record, Records
from ailb.records_shelf import Shelf


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short name: a socket's path has a hundred characters."""
    with TemporaryDirectory(prefix="ailb-") as name:
        yield Path(name)


def keeping(*ids: str, user: str = "ann") -> Records:
    records = Records()
    for id in ids:
        records.put(user, id, Record(f"{user}'s {id}".encode(), {}), keep=100)
    return records


async def test_a_process_alone_has_its_own() -> None:
    async with Shelf(keeping("a")) as shelf:
        assert (b"ann's a", None, None) == (await shelf.find("a"), await shelf.find("b"), await shelf.find("a", "bob"))


async def test_what_one_does_not_have_the_others_are_asked_for(folder: Path) -> None:
    async with Shelf(keeping("a"), folder / "0") as one, Shelf(keeping("b"), folder / "1") as two, Shelf(Records(), folder / "2") as three:
        for shelf in (one, two, three):
            assert (b"ann's a", b"ann's b", None) == (await shelf.find("a"), await shelf.find("b", "ann"), await shelf.find("c"))
            assert None is await shelf.find("a", "bob")


async def test_a_long_record_comes_whole(folder: Path) -> None:
    records = Records()
    records.put("ann", "a", Record(b"x" * 1_000_000, {}), keep=1)
    async with Shelf(records, folder / "0"), Shelf(Records(), folder / "1") as other:
        assert b"x" * 1_000_000 == await other.find("a")


async def test_one_that_is_gone_has_nothing_and_its_seat_is_taken_over(folder: Path) -> None:
    (folder / "1").touch()  # of one that was killed
    async with Shelf(keeping("a"), folder / "0") as one:
        assert (b"ann's a", None) == (await one.find("a"), await one.find("b"))
        async with Shelf(keeping("b"), folder / "1"):
            assert b"ann's b" == await one.find("b")
        assert None is await one.find("b")


async def test_one_that_hangs_has_nothing(folder: Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(hang, folder / "1")
    async with Shelf(keeping("a"), folder / "0") as one, Shelf(keeping("b"), folder / "2"):
        assert (b"ann's b", None) == (await one.find("b"), await one.find("c"))
    server.close()


@pytest.mark.parametrize("said", [b"", b"{\n", b"[1]\n", b"7\n", b"[[], {}]\n", b"x" * 200_000])
async def test_nonsense_gets_nothing_and_no_traceback(folder: Path, said: bytes) -> None:
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    async with Shelf(keeping("a"), folder / "0") as shelf:
        with capture_logs() as lines:
            reader, writer = await asyncio.open_unix_connection(folder / "0")
            writer.write(said)
            writer.write_eof()
            assert b"" == await reader.read()
            writer.close()
        assert (b"ann's a", [], []) == (await shelf.find("a"), lines, problems)


async def test_where_nothing_can_listen_it_goes_on_alone(folder: Path) -> None:
    (folder / "long").mkdir()
    path = folder / "long" / ("x" * 200)
    with capture_logs() as lines:
        async with Shelf(keeping("a"), path) as shelf:
            assert (b"ann's a", None) == (await shelf.find("a"), await shelf.find("b"))
    assert ["warning"] == [line["log_level"] for line in lines]
