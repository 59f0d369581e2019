from pathlib import Path

import pytest
from starlette.requests import Request

from ailb.admin.billing_asked import FILTERS, before, cursor, group, limit, query, rows
from ailb.errors import BadRequest
from ailb.secret import Secret
from ailb.store.database import Database
from ailb.store.spend import DAY, Span
from ailb.testing import StillClock


def request(text: str) -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": text.encode()})


def test_a_parameter_without_a_value_says_nothing() -> None:
    assert {"provider": "openai"} == query(request("key_id=&provider=openai&model="), FILTERS)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("colour=red", "colour"),
        ("model=a&model=b", "model"),
        ("model=a%00", "model"),
        ("model=%ff", "model"),
        ("model=" + "x" * 257, "model"),
    ],
)
def test_a_query_that_is_not_understood_names_the_parameter(text: str, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        query(request(text), FILTERS)
    assert field == caught.value.param


def test_which_rows(tmp_path: Path) -> None:
    database = Database(Secret(f"sqlite+aiosqlite:///{tmp_path}/ailb.db"), StillClock())
    asked = {"provider": "openai", "model": "m", "start_date": "1970-01-02", "end_date": "1970-01-02"}
    assert ("custom", Span(DAY, 2 * DAY, "ann", "key-1", "openai", "m")) == rows(asked, database, user="ann", key_id="key-1")


def test_groups() -> None:
    assert (None, "session") == (group({}), group({"group_by": "session"}))
    with pytest.raises(BadRequest, match="group_by must be one of day, key, model, provider, session"):
        group({"group_by": "colour"})


@pytest.mark.parametrize("value", ["0", "1001", "-1", "1e3", "１", "x", "9" * 400, "1.0", " 1"])
def test_a_limit_that_is_none(value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        limit({"limit": value})
    assert "limit" == caught.value.param


def test_limits() -> None:
    assert (None, 1, 1000) == (limit({}), limit({"limit": "1"}), limit({"limit": "1000"}))


@pytest.mark.parametrize("id", [0, 1, 12345, 10**17])
def test_a_cursor_comes_back(id: int) -> None:
    assert id == before({"cursor": cursor(id)})
    assert before({}) is None


@pytest.mark.parametrize("value", ["x", "12", "=", "é", cursor(5) + "=", cursor(-5), "YmVmb3JlIDE1\n", "a" * 250])
def test_a_cursor_that_nobody_made(value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        before({"cursor": value})
    assert "cursor" == caught.value.param
