"""The statements, where the store's own tests do not reach them."""

import pytest

from ailb.store import keys_rows as rows
from ailb.store.database import Database


@pytest.mark.parametrize(
    ("terms", "own", "quota"),
    [
        ({}, {}, {}),
        ({"name": "a", "quota_nanos": 1}, {"name": "a"}, {"limit_nanos": 1}),
        ({"quota_tokens": None, "metadata": {"a": [1]}}, {"metadata": '{"a":[1]}'}, {"limit_tokens": None}),
        ({"allowed_models": None, "allowed_collections": []}, {"allowed_models": None, "allowed_collections": "[]"}, {}),
    ],
)
def test_terms_are_columns_and_a_quota(terms: dict[str, object], own: dict[str, object], quota: dict[str, object]) -> None:
    assert (own, quota) == (rows.columns(terms), rows.lasting(terms))


async def test_every_change_counts(database: Database) -> None:
    assert [] == await database.read(rows.revision("keys"))
    for number in (1, 2, 3):
        await database.write(lambda connection: rows.changed_now(connection, "keys"))
        assert [number] == [row["number"] for row in await database.read(rows.revision("keys"))]
    assert [] == await database.read(rows.revision("budgets"))
