"""`ailb keys`, as a shell sees it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from ailb.__main__ import main
from ailb.clock import Clock
from ailb.store.keys import KeyStore
from tests.ailb.store.made import made, patient

T = TypeVar("T")


class Shell:
    """A configuration with a database of its own, and the command line on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = made(folder)
        self.file = folder / "config.toml"
        self.file.write_text(f'[store]\nurl = "{self.url.reveal()}"\n[[layer]]\nuse = "routing"\n[[provider]]\nname = "echo"\n')
        self._capsys = capsys

    def run(self, *words: str) -> tuple[int, str, str]:
        """Status, stdout and stderr."""
        status = main(["keys", *words, "--config", str(self.file)], {})
        return status, *self._capsys.readouterr()

    def ask(self, question: Callable[[KeyStore], Awaitable[T]]) -> T:
        async def asking() -> T:
            async with patient(self.url, Clock()) as database:
                await database.prepare()
                keys = KeyStore(database, Clock())
                try:
                    return await question(keys)
                finally:
                    await keys._cache.close()

        return asyncio.run(asking())

    def create(self, *words: str) -> tuple[str, str]:
        """Secret and id."""
        status, out, err = self.run("create", "--name", "mine", *words)
        assert status == 0
        return out.strip(), err.split(" ")[0]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def test_a_new_keys_secret_stands_alone_on_stdout(shell: Shell) -> None:
    secret, id = shell.create()
    assert re.fullmatch(r"sk-ailb_[A-Za-z0-9_-]{43}", secret)
    found = shell.ask(lambda keys: keys.find(secret))
    assert found is not None
    assert (id, "anonymous", "mine") == (found.id, found.user, found.name)


def test_everything_that_can_be_set(shell: Shell) -> None:
    limits = ("--dollars", "0.3", "--tokens", "7", "--rpm", "60", "--tpm", "1000", "--max-parallel", "2", "--expires", "2099-12-31")
    _, id = shell.create("--user", "ann", *limits, "--model", "gpt-*", "--model", "claude", "--collection", "docs")
    record = shell.ask(lambda keys: keys.get(id))
    assert ("ann", 300_000_000, 7, 60, 1000, 2) == (
        record.user,
        record.quota_nanos,
        record.quota_tokens,
        record.rate_limit_rpm,
        record.rate_limit_tpm,
        record.max_parallel,
    )
    assert (["gpt-*", "claude"], ["docs"], 4_102_444_800_000_000) == (record.allowed_models, record.allowed_collections, record.expires_at)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--rpm", "0"), "rate_limit_rpm: should be greater than or equal to 1"),
        (("--dollars", "-1"), "monthly_quota_dollars: must not be negative"),
        (("--dollars", "nan"), "monthly_quota_dollars: must be a finite number of dollars"),
        (("--user", "a,b"), "user_id must be printable characters"),
        (("--expires", "tomorrow"), "expires_at must be a date"),
        (("--expires", "2020-02-29"), "expires_at is in the past"),
    ],
)
def test_the_apis_rules_are_the_shells_too(shell: Shell, words: tuple[str, str], problem: str) -> None:
    status, out, err = shell.run("create", "--name", "mine", *words)
    assert (1, "") == (status, out)
    assert err.startswith(f"ailb: {problem}")
    assert 0 == shell.ask(lambda keys: keys.page())[1]


def test_the_list(shell: Shell) -> None:
    ids = [shell.create("--user", user)[1] for user in ("ann", "[red]bob[/red]")]
    secret, revoked = shell.create("--user", "ann", "--dollars", "12.5")
    shell.run("revoke", revoked)
    _, everything, _ = shell.run("list")
    assert [True] * 5 == [text in everything for text in (*ids, revoked, "[red]bob[/red]", "12.5")]
    assert secret not in everything
    _, some, _ = shell.run("list", "--user", "ann", "--status", "active")
    assert (True, False, False) == (ids[0] in some, ids[1] in some, revoked in some)


def test_the_list_knows_a_user_however_the_name_is_spelled(shell: Shell) -> None:
    """Keys are made with names in NFC."""
    _, id = shell.create("--user", "Zoe\u0308")
    assert [id in shell.run("list", "--user", spelled)[1] for spelled in ("Zoe\u0308", "Zo\xeb", "Zoe")] == [True, True, False]
    status, out, err = shell.run("list", "--user", "a,b")
    assert (1, "") == (status, out)
    assert err.startswith("ailb: --user must be printable characters")


def test_a_revoked_key_is_dead(shell: Shell) -> None:
    secret, id = shell.create()
    assert (0, "", f"{id} is revoked\n") == shell.run("revoke", id)
    assert shell.ask(lambda keys: keys.find(secret)) is None
    assert (1, "", "ailb: the key is revoked\n") == shell.run("revoke", id)
    assert (1, "", "ailb: no such key\n") == shell.run("revoke", "key-none")


def test_rotation(shell: Shell) -> None:
    old, id = shell.create()
    status, out, _ = shell.run("rotate", id, "--grace", "3600")
    assert 0 == status
    assert shell.ask(lambda keys: keys.find(old)) is not None
    assert shell.ask(lambda keys: keys.find(out.strip())) is not None
    shell.run("rotate", id)
    assert shell.ask(lambda keys: keys.find(old)) is None
    assert 1 == shell.run("rotate", id, "--grace", "-1")[0]
