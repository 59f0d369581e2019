import asyncio
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ailb.clock import Clock
from ailb.commands import audit
from ailb.store.windows import DAY
from tests.ailb.store.ledgers import write
from tests.ailb.store.made import made, patient


def ledger(folder: Path, *statements: str) -> Path:
    """A configuration whose database has two rows, and what `statements` did to them."""
    url = made(folder)

    async def change(connection: AsyncConnection) -> None:
        for statement in statements:
            await connection.execute(text(statement))

    async def work() -> None:
        async with patient(url, Clock()) as database:
            await database.prepare()
            await write(database, {"at": DAY}, {"at": 2 * DAY, "provider": "anthropic"})
            await database.write(change)

    asyncio.run(work())
    config = folder / "config.toml"
    config.write_text(f'[store]\nurl = "{url.reveal()}"\n[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n')
    return config


def run(config: Path, *words: str) -> int:
    parser = ArgumentParser()
    audit.arguments(parser)
    return audit.run(parser.parse_args(["--config", str(config), *words]), {})


def test_books_that_balance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(ledger(tmp_path))
    said = capsys.readouterr().out
    assert ("ledger = roll-up" in said, "none" in said, "is not" in said) == (True, True, False)


def test_a_difference_is_told_and_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = ledger(tmp_path, "UPDATE spend SET nanos = 99 WHERE provider = 'anthropic'")
    assert 1 == run(config)
    said = capsys.readouterr().out
    assert "anthropic" in said
    assert "nanos=100" in said
    assert "nanos=99" in said


def test_a_long_list_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days = ", ".join(f"({day * DAY}, 'u', 'k', 'p', 'm', 'm', 1, 1, 1)" for day in range(30))
    assert 1 == run(ledger(tmp_path, f"INSERT INTO spend VALUES {days}"))
    assert "and 10 more" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:1"])
def test_a_gateway_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert 1 == run(ledger(tmp_path), "--url", url)
    assert "does not answer" in capsys.readouterr().err


def test_the_help_says_from_when_metrics_count(capsys: pytest.CaptureFixture[str]) -> None:
    parser: Any = ArgumentParser()
    audit.arguments(parser)
    parser.print_help()
    assert "when it started" in " ".join(capsys.readouterr().out.split())
