"""Keys in both databases: their life, and what other processes see of it."""

import asyncio
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import Executable, Select, select, text
from sqlalchemy.engine import RowMapping

from ailb.errors import Conflict, NotFound, Unavailable
from ailb.keys import PREFIX, Key
from ailb.secret import Secret
from ailb.store.database import Database
from ailb.store.keys import KeyStore, new_secret
from ailb.store.schema import BUDGETS, KEYS, METADATA, REVISIONS, SECRETS
from tests.ailb.store.clocks import START, SetClock

NAMED = {"name": "one"}
DAY = 86_400
MICROS = int(START * 1_000_000)


@pytest.fixture
async def keys(database: Database, clock: SetClock) -> AsyncIterator[KeyStore]:
    """Nobody polls: the test says when."""
    store = KeyStore(database, clock)
    yield store
    await store._cache.close()


@pytest.fixture
async def others(database: Database, clock: SetClock) -> AsyncIterator[KeyStore]:
    """The same keys as another process sees them."""
    store = KeyStore(database, clock)
    yield store
    await store._cache.close()


async def test_a_key_is_found_by_its_secret(keys: KeyStore, others: KeyStore) -> None:
    terms: dict[str, Any] = {
        "name": "all",
        "rate_limit_rpm": 60,
        "rate_limit_tpm": 1000,
        "max_parallel": 2,
        "allowed_models": ["gpt-*"],
        "allowed_collections": [],
        "expires_at": MICROS + 1_500_000,
        "metadata": {"team": "x"},
        "quota_nanos": 5_000_000_000,
        "quota_tokens": 7,
    }
    secret, record = await keys.create("ann", terms)
    assert re.fullmatch(r"sk-ailb_[A-Za-z0-9_-]{43}", secret)
    assert re.fullmatch(r"key-[0-9a-f]{32}", record.id)
    expected = Key(record.id, "ann", "all", 60, 1000, 2, ("gpt-*",), (), START + 1.5)
    assert expected == await keys.find(secret) == await others.find(secret)
    assert ("ann", secret[:12], "active", MICROS, None) == (record.user, record.prefix, record.status, record.created_at, record.last_used)
    assert terms == {name: getattr(record, name) for name in terms}


@pytest.mark.parametrize(
    "secret",
    [
        "",
        PREFIX,
        PREFIX + "a" * 42,
        PREFIX + "a" * 43,
        PREFIX + "a" * 44,
        PREFIX + "é" * 43,
        PREFIX + "\ud800" * 43,
        "x" * 51,
        "a" * 100_000,
    ],
)
async def test_what_is_no_key_is_none(keys: KeyStore, secret: str) -> None:
    assert await keys.find(secret) is None


async def test_the_database_holds_no_secret(keys: KeyStore, database: Database) -> None:
    secrets = [(await keys.create("ann", NAMED))[0] for _ in range(3)]
    (listed,), _ = await keys.page("ann", limit=1)
    secrets.append((await keys.rotate(listed.id, 60))[0])
    dump = repr([list(await database.read(select(table))) for table in METADATA.sorted_tables])
    assert 3 == dump.count("'status': 'active'")
    assert [] == [secret for secret in secrets if secret[:13] in dump or secret[12:] in dump or repr(secret.encode()) in dump]


class Listening(Database):
    """Keeps what it was asked, with the values."""

    def __init__(self, database: Database, clock: SetClock) -> None:
        super().__init__(Secret(database.url.render_as_string(hide_password=False)), clock)
        self.asked: list[tuple[str, str]] = []

    async def read(self, statement: Executable) -> list[RowMapping]:
        assert isinstance(statement, Select)
        compiled = statement.compile()
        self.asked.append((str(compiled), repr(compiled.params)))
        return await super().read(statement)


async def test_good_and_bad_keys_take_the_same_way(keys: KeyStore, database: Database, clock: SetClock) -> None:
    """One question each, the same for all, about a hash: nothing that takes longer the more of a secret is right (FAULTS H11)."""
    good, revoked, expired = [await keys.create("ann", {**NAMED, "expires_at": end}) for end in (None, None, MICROS + 1)]
    old, record = await keys.create("ann", NAMED)
    await keys.rotate(record.id)
    await keys.revoke(revoked[1].id)
    clock.now += 1
    secrets = [good[0], revoked[0], expired[0], old, new_secret(), good[0][:-8] + "a" * 8]
    seen = []
    async with Listening(database, clock) as listening:
        await listening.prepare()
        for secret in secrets:
            cold = KeyStore(listening, clock)
            seen.append((await cold.find(secret) is not None, [text for text, _ in listening.asked]))
            said = "".join(values for _, values in listening.asked)
            assert secret[8:20] not in said
            assert repr(sha256(secret.encode()).digest()) in said
            listening.asked = []
            await cold.find(secret)
            assert listening.asked == []  # none is looked up again
            await cold._cache.close()
    assert [found for found, _ in seen] == [True, False, False, False, False, False]
    assert all(asked == seen[0][1] and len(asked) == 2 for _, asked in seen)  # the revision, and the hash


def test_secrets_do_not_repeat() -> None:
    assert 10_000 == len({new_secret() for _ in range(10_000)})


async def test_ids_tell_nothing_of_their_order(keys: KeyStore) -> None:
    ids = [(await keys.create("ann", NAMED))[1].id for _ in range(20)]
    assert (20, False) == (len(set(ids)), ids == sorted(ids))


async def test_five_hundred_at_once_with_a_cold_key_are_one_lookup(keys: KeyStore, others: KeyStore) -> None:
    secret, _ = await keys.create("ann", NAMED)
    found = await asyncio.gather(*(others.find(secret) for _ in range(500)))
    assert {"ann"} == {key.user if key else None for key in found}


async def test_a_key_that_is_made_during_a_flood_works_at_once(keys: KeyStore, others: KeyStore, clock: SetClock) -> None:
    async with asyncio.TaskGroup() as flood:
        for _ in range(2000):
            flood.create_task(keys.find(new_secret()))
            flood.create_task(others.find(new_secret()))
        secret, _ = await keys.create("ann", NAMED)
        assert await keys.find(secret) is not None
    await others._cache.look()
    assert await others.find(secret) is not None


async def test_revoked_here_is_revoked_at_once_and_elsewhere_within_two_seconds(keys: KeyStore, others: KeyStore, clock: SetClock) -> None:
    secret, record = await keys.create("ann", NAMED)
    assert await keys.find(secret) == await others.find(secret) != None  # noqa: E711 - three things in one line
    await keys.revoke(record.id)
    assert await keys.find(secret) is None
    clock.now += 2
    assert await others.find(secret) is None
    assert "revoked" == (await keys.get(record.id)).status


async def test_another_process_polls_by_itself(keys: KeyStore, database: Database) -> None:
    """Its clock stands still, so that nothing but the polling can tell it."""
    secret, record = await keys.create("ann", NAMED)
    async with KeyStore(database, SetClock()) as other:
        assert await other.find(secret) is not None
        await keys.revoke(record.id)
        async with asyncio.timeout(2):
            while await other.find(secret) is not None:
                await asyncio.sleep(0.01)


async def test_an_expired_key_is_none_the_moment_it_expires(keys: KeyStore, clock: SetClock) -> None:
    secret, record = await keys.create("ann", {**NAMED, "expires_at": MICROS + DAY * 1_000_000})
    clock.now += DAY - 1
    assert await keys.find(secret) is not None
    clock.now += 1
    assert await keys.find(secret) is None
    assert "expired" == (await keys.get(record.id)).status


async def test_whose_it_is_decides_who_sees_and_changes_it(keys: KeyStore) -> None:
    _, record = await keys.create("ann", NAMED)
    for denied in (
        keys.get(record.id, "bob"),
        keys.update(record.id, {"name": "mine"}, "bob"),
        keys.revoke(record.id, "bob"),
        keys.rotate(record.id, 0, "bob"),
        keys.get("key-none", "ann"),
        keys.update("key-none", {"name": "mine"}),
        keys.revoke("key-none"),
        keys.rotate("key-none"),
    ):
        with pytest.raises(NotFound, match=r"^no such key$"):
            await denied
    assert record == await keys.get(record.id, "ann")


async def test_what_is_revoked_stays_so(keys: KeyStore) -> None:
    _, record = await keys.create("ann", NAMED)
    await keys.revoke(record.id, "ann")
    for denied in (keys.update(record.id, {"name": "x"}), keys.revoke(record.id, "ann"), keys.rotate(record.id)):
        with pytest.raises(Conflict):
            await denied


async def test_a_change_counts_at_once_and_leaves_the_rest(keys: KeyStore) -> None:
    secret, record = await keys.create("ann", {"name": "one", "rate_limit_rpm": 1, "allowed_models": ["a"], "quota_nanos": 5})
    await keys.find(secret)
    changed = await keys.update(record.id, {"rate_limit_rpm": None, "name": "two", "quota_tokens": 9}, "ann")
    assert ("two", None, ["a"], 5, 9) == (
        changed.name,
        changed.rate_limit_rpm,
        changed.allowed_models,
        changed.quota_nanos,
        changed.quota_tokens,
    )
    found = await keys.find(secret)
    assert found is not None
    assert ("two", None, ("a",)) == (found.name, found.rate_limit_rpm, found.allowed_models)
    assert (None, None) == (
        (again := await keys.update(record.id, {"quota_nanos": None, "allowed_models": None})).quota_nanos,
        again.allowed_models,
    )
    assert again == await keys.update(record.id, {})


async def test_a_quota_is_a_monthly_budget_of_the_key(keys: KeyStore, database: Database) -> None:
    _, record = await keys.create("ann", {**NAMED, "quota_nanos": 5})
    await keys.create("ann", NAMED)
    await keys.create("ann", {**NAMED, "quota_nanos": None})
    (row,) = await database.read(select(BUDGETS))
    assert ("key", record.id, "monthly", 5, None) == tuple(
        row[name] for name in ("scope", "scope_id", "period", "limit_nanos", "limit_tokens")
    )
    revisions = {each["name"]: each["number"] for each in await database.read(select(REVISIONS))}
    assert 3 == revisions["keys"]
    assert revisions["budgets"] >= 1


async def test_after_a_rotation_the_old_secret_lasts_as_long_as_its_grace(keys: KeyStore, clock: SetClock) -> None:
    first, record = await keys.create("ann", NAMED)
    second, rotated = await keys.rotate(record.id, 60, "ann")
    assert (record.id, second[:12]) == (rotated.id, rotated.prefix)
    assert await keys.find(first) is not None
    assert await keys.find(second) is not None
    clock.now += 60
    assert await keys.find(first) is None
    third, _ = await keys.rotate(record.id)
    assert (None, None, True) == (await keys.find(first), await keys.find(second), await keys.find(third) is not None)


async def test_a_rotation_does_not_prolong_an_earlier_grace(keys: KeyStore, database: Database, clock: SetClock) -> None:
    first, record = await keys.create("ann", NAMED)
    await keys.rotate(record.id, 10)
    await keys.rotate(record.id, 1000)
    clock.now += 10
    assert await keys.find(first) is None
    await keys.rotate(record.id, 1000)
    assert 3 == len(await database.read(select(SECRETS)))


async def test_pages(keys: KeyStore, clock: SetClock) -> None:
    made = []
    for n in range(5):
        clock.now += 1
        made.append((await keys.create("ann", {"name": str(n), "expires_at": MICROS + 100_000_000 if n == 0 else None}))[1])
    clock.now += 1
    await keys.create("bob", NAMED)
    await keys.revoke(made[4].id)
    clock.now += 100

    async def names(**asked: Any) -> tuple[str, int]:
        records, total = await keys.page(**asked)
        return "".join(record.name[0] for record in records), total

    assert ("43210", 5) == await names(user="ann")
    assert ("32", 5) == await names(user="ann", limit=2, offset=1)
    assert ("", 5) == await names(user="ann", offset=9)
    assert ("321", 3) == await names(user="ann", status="active")
    assert ("4", 1) == await names(user="ann", status="revoked")
    assert ("0", 1) == await names(user="ann", status="expired")
    assert ("o43210", 6) == await names()
    assert ("", 0) == await names(user="ann' OR 1=1 --")


async def test_when_it_was_last_used_is_written_now_and_then(keys: KeyStore, clock: SetClock) -> None:
    secret, record = await keys.create("ann", NAMED)
    clock.now += 5
    await keys.find(secret)
    clock.now += 50
    await keys.find(secret)
    assert {record.id: MICROS + 5_000_000} == keys._used
    await keys._write_used()
    assert MICROS + 5_000_000 == (await keys.get(record.id)).last_used
    clock.now += 10
    await keys.find(secret)
    assert {record.id: MICROS + 65_000_000} == keys._used


async def test_the_end_writes_what_was_used(database: Database, clock: SetClock) -> None:
    async with KeyStore(database, clock) as keys:
        secret, record = await keys.create("ann", NAMED)
        await keys.find(secret)
    assert MICROS == (await keys.get(record.id)).last_used


async def test_without_the_database_a_key_is_neither_good_nor_bad(keys: KeyStore, database: Database, clock: SetClock) -> None:
    secret, _ = await keys.create("ann", NAMED)
    await keys.find(secret)
    database.ready = False
    clock.now += 2
    with pytest.raises(Unavailable):
        await keys.find(secret)
    with pytest.raises(Unavailable):
        await keys.create("ann", NAMED)
    database.ready = True
    clock.now += 1
    assert await keys.find(secret) is not None


async def test_what_looks_like_sql_is_a_name(keys: KeyStore, database: Database) -> None:
    _, record = await keys.create("ann'; DROP TABLE keys; --", {"name": "'); DELETE FROM keys; --"})
    assert record == await keys.get(record.id, "ann'; DROP TABLE keys; --")
    (row,) = await database.read(text("SELECT count(*) AS n FROM keys"))
    assert (1, 1) == (row["n"], len(await database.read(select(KEYS))))
