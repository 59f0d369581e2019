import asyncio
import csv
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ailb.clock import Clock
from ailb.commands import billing
from ailb.store.prune import count
from ailb.store.spend import DAY
from tests.ailb.store.ledgers import write
from tests.ailb.store.made import made, patient

NOW = int(time.time() * 1_000_000)


class Books:
    """A configuration with a database of its own, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = made(folder)
        config = f'[store]\nurl = "{self.url.reveal()}"\n[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n'
        (folder / "config.toml").write_text(config)

    def write(self, *entries: Mapping[str, Any]) -> None:
        async def work() -> None:
            async with patient(self.url, Clock()) as database:
                await database.prepare()
                await write(database, *entries)

        asyncio.run(work())

    def left(self) -> int:
        async def work() -> int:
            async with patient(self.url, Clock()) as database:
                await database.prepare()
                return await count(database, 0, NOW * 2)

        return asyncio.run(work())

    def run(self, *words: str) -> int:
        parser = ArgumentParser()
        billing.arguments(parser)
        return billing.run(parser.parse_args([*words, "--config", str(self.folder / "config.toml")]), {})

    def export(self, *words: str) -> list[dict[str, str]]:
        file = self.folder / "ledger.csv"
        assert 0 == self.run("export", "--csv", str(file), *words)
        with file.open(newline="") as text:
            return list(csv.DictReader(text))


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def test_the_ledger_as_csv(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    books.write({"at": DAY}, {"at": 3 * DAY, "nanos": 1_500_000_000, "model": "=1+1"})
    rows = books.export()
    assert [("1970-01-04T00:00:00Z", "1.5", "'=1+1"), ("1970-01-02T00:00:00Z", "0.0000001", "gpt-4")] == [
        (row["at"], row["cost"], row["model"]) for row in rows
    ]
    said = capsys.readouterr()
    assert said.out.startswith("2 rows written to ")
    assert "exported" in said.err
    assert not list(books.folder.glob("*.part"))


def test_some_days_of_it(books: Books) -> None:
    books.write({"at": DAY}, {"at": 2 * DAY}, {"at": 3 * DAY - 1}, {"at": 3 * DAY})
    assert ["3", "2"] == [row["id"] for row in books.export("--from", "1970-01-03", "--to", "1970-01-03")]


def test_dates_in_the_wrong_order_leave_the_file_alone(books: Books, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "kept.csv"
    file.write_text("kept")
    assert 1 == books.run("export", "--csv", str(file), "--from", "1970-01-04", "--to", "1970-01-03")
    assert ("kept", True) == (file.read_text(), "--from is after --to" in capsys.readouterr().err)


def test_exported_rows_can_be_deleted_up_to_a_day(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    books.write({"at": DAY}, {"at": 2 * DAY}, {"at": NOW})
    books.export()
    assert 0 == books.run("prune", "--before", "1970-01-03")
    assert "1 rows deleted" in capsys.readouterr().out
    assert 2 == books.left()


@pytest.mark.parametrize(
    ("exported", "before", "problem"),
    [
        ((), "1970-01-03", "not exported"),
        (("--from", "1970-01-01"), "1970-01-03", None),
        (("--from", "1970-01-02"), "1970-01-03", "not exported"),
        (("--to", "1970-01-01"), "1970-01-03", "not exported"),
        (("--to", "1970-01-02"), "1970-01-03", None),
        (("--to", "1970-01-02"), "2999-01-01", "the current month is kept"),
        (("--to", "1970-01-02"), "1970-01-03T00:00:01Z", "must be a date"),
        (("--to", "1970-01-02"), "yesterday", "must be a date"),
    ],
)
def test_what_may_be_deleted(
    books: Books, capsys: pytest.CaptureFixture[str], exported: tuple[str, ...], before: str, problem: str | None
) -> None:
    books.write({"at": DAY})
    if exported:
        books.export(*exported)
    assert (1 if problem else 0) == books.run("prune", "--before", before)
    assert (1 if problem else 0) == books.left()
    assert (problem or "") in capsys.readouterr().err


def test_a_correction_is_a_row_of_its_own(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    books.write({"at": DAY, "nanos": 300_000_000})
    assert 0 == books.run("correct", "1", "--cost", "0.1", "--reason", "a wrong price")
    assert "row 1 costs 0.1 dollars with row 2, which is -0.2\n" == capsys.readouterr().out
    assert 0 == books.run("correct", "1", "--cost", "0.1")
    assert "row 1 costs 0.1 dollars already; nothing was written\n" == capsys.readouterr().out
    newest, oldest = books.export()
    assert ("correction", "-0.2", "1", "a wrong price") == tuple(newest[name] for name in ("kind", "cost", "corrects", "reason"))
    assert ("attempt", "0.3", "", "") == tuple(oldest[name] for name in ("kind", "cost", "corrects", "reason"))


@pytest.mark.parametrize("cost", ["-1", "much", "", "nan", "1e3", "0,5", "1000000001"])
def test_a_cost_that_is_none(books: Books, capsys: pytest.CaptureFixture[str], cost: str) -> None:
    books.write({"at": DAY})
    assert 1 == books.run("correct", "1", "--cost", cost)
    assert capsys.readouterr().err.startswith("ailb: --cost must be ")
    assert 1 == books.left()


def test_a_row_that_is_not_there(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    books.write({"at": DAY})
    assert 1 == books.run("correct", "2", "--cost", "1")
    assert "ailb: no row 2 is in the ledger\n" == capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        books.run("correct", "two", "--cost", "1")


def test_a_corrected_day_is_exported_again_before_it_is_deleted(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    books.write({"at": DAY})
    books.export()
    assert 0 == books.run("correct", "1", "--cost", "1")
    assert 1 == books.run("prune", "--before", "1970-01-03")
    assert "not exported" in capsys.readouterr().err
    assert 2 == len(books.export())
    assert 0 == books.run("prune", "--before", "1970-01-03")
    assert 0 == books.left()


def test_a_date_that_is_none_is_one_line(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == books.run("export", "--csv", str(books.folder / "x.csv"), "--from", "soon")
    assert "ailb: --from must be a date such as 2026-01-31 or a time such as 2026-01-31T10:30:00Z\n" == capsys.readouterr().err
    assert not (books.folder / "x.csv").exists()


def test_a_file_that_cannot_be_written(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    file = books.folder / "missing" / "x.csv"
    assert 1 == books.run("export", "--csv", str(file))
    assert f"ailb: {file}.part: No such file or directory" in capsys.readouterr().err
