"""/api/sessions, as clients see it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.sessions import Session
from ailb.store.sessions import StoredSessions
from tests.ailb.admin.calling import ADMIN, Api, calling
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.talking import say

NO_SUCH = "no such session"


@pytest.fixture(params=["local", "keyed"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """With a session of ann's and bob's of the same name, and one of ann's alone."""
    with capture_logs():
        async with calling(tmp_path, request.param, SetClock()) as api:
            for user, id in (("ann", "s"), ("ann", "a/b-c"), ("bob", "s")):
                await say(StoredSessions(api.database), f"I am {user}", session=Session(user, id))
            yield api


async def get(api: Api, path: str = "", user: str = "ann", method: str = "GET") -> tuple[int, Any]:
    client = await api(
        method, f"/api/sessions{path}", user=user, bearer="" if api.gateway.snapshot.config.auth.admin_key is None else ADMIN
    )
    return client.status, client.json if client.body else None


async def test_a_users_sessions_are_listed(api: Api) -> None:
    status, told = await get(api)
    assert (200, 2, 100, 0) == (status, told["total"], told["limit"], told["offset"])
    one = {"user_id": "ann", "created_at": "2026-09-14T00:00:00Z", "updated_at": "2026-09-14T00:00:00Z", "turns": 1}
    assert [{**one, "id": id, "bytes": 78} for id in ("a/b-c", "s")] == told["sessions"]
    assert ["s"] == [each["id"] for each in (await get(api, "?limit=1&offset=1"))[1]["sessions"]]
    assert 400 == (await get(api, "?limit=0"))[0]


async def test_all_of_one_is_exported(api: Api) -> None:
    status, told = await get(api, "/s")
    messages = [{"role": "user", "content": "I am ann"}, {"role": "assistant", "content": "I see."}]
    assert [{"number": 1, "at": "2026-09-14T00:00:00Z", "messages": messages, "tokens": 10, "cut": False}] == told["turns"]
    assert (200, "s", "ann", "") == (status, told["id"], told["user_id"], told["summary"])
    assert "I am bob" in str((await get(api, "/s", "bob"))[1])


async def test_what_is_forgotten_is_gone_and_the_others_are_not(api: Api) -> None:
    assert (204, None) == await get(api, "/s", method="DELETE")
    for method in ("GET", "DELETE"):
        status, told = await get(api, "/s", method=method)
        assert (404, NO_SUCH) == (status, told["detail"])
    assert (200, 200) == ((await get(api, "/s", "bob"))[0], (await get(api, "/a/b-c"))[0])
    assert 204 == (await get(api, "/a/b-c", method="DELETE"))[0]
    assert 0 == (await get(api))[1]["total"]


async def test_a_foreign_one_is_like_one_that_never_was(api: Api) -> None:
    assert await get(api, "/a/b-c", "bob") == await get(api, "/never", "bob")
    assert await get(api, "/a/b-c", "bob", "DELETE") == await get(api, "/never", "bob", "DELETE")
    assert 200 == (await get(api, "/a/b-c"))[0]


async def test_a_key_sees_its_own_users_only_and_may_forget(tmp_path: Path) -> None:
    with capture_logs():
        async with calling(tmp_path, "keyed", SetClock()) as api:
            for user in ("ann", "bob"):
                await say(StoredSessions(api.database), f"I am {user}", session=Session(user, "s"))
            key, _ = await api.keys.create("ann", {"name": "ann's"})
            for spoofed in ("", "bob"):
                told = (await api("GET", "/api/sessions", bearer=key, user=spoofed)).json
                assert ["ann"] == [each["user_id"] for each in told["sessions"]]
            assert 204 == (await api("DELETE", "/api/sessions/s", bearer=key, user="bob")).status
            assert 404 == (await api("DELETE", "/api/sessions/s", bearer=key, user="bob")).status
            assert 200 == (await api("GET", "/api/sessions/s", bearer=ADMIN, user="bob")).status


async def test_the_admin_says_whose_where_several_have_one(tmp_path: Path) -> None:
    with capture_logs():
        async with calling(tmp_path, "keyed", SetClock()) as api:
            for user, id in (("ann", "s"), ("bob", "s"), ("ann", "a")):
                await say(StoredSessions(api.database), "hi", session=Session(user, id))
            assert 3 == (await api("GET", "/api/sessions", bearer=ADMIN)).json["total"]
            statuses = [(await api("GET", f"/api/sessions/{id}", bearer=ADMIN)).status for id in ("s", "a", "none")]
            assert [400, 200, 404] == statuses
