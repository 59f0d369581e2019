"""/api/keys, as clients see it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.ailb.admin.calling import ADMIN, Api, calling
from tests.ailb.serving import Client
from tests.ailb.store.clocks import SetClock

MEMBERS: dict[str, Any] = {
    "user_id": "user-123",
    "name": "My Production Key",
    "status": "active",
    "created_at": "2026-09-14T00:00:00Z",
    "expires_at": None,
    "last_used": None,
    "monthly_quota_dollars": None,
    "monthly_quota_tokens": None,
    "rate_limit_rpm": None,
    "rate_limit_tpm": None,
    "max_parallel": None,
    "allowed_models": None,
    "allowed_collections": None,
    "metadata": None,
}
FULL: dict[str, Any] = {
    "monthly_quota_dollars": 100.5,
    "monthly_quota_tokens": 10_000_000,
    "rate_limit_rpm": 60,
    "rate_limit_tpm": 100_000,
    "max_parallel": 4,
    "allowed_models": ["gpt-*", "claude-3-opus"],
    "allowed_collections": [],
    "metadata": {"team": "search", "n": [1, None]},
}


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def api(tmp_path: Path, clock: SetClock) -> AsyncIterator[Api]:
    """In local mode."""
    with capture_logs():
        async with calling(tmp_path, "local", clock) as api:
            yield api


@pytest.fixture
async def keyed(tmp_path: Path, clock: SetClock) -> AsyncIterator[Api]:
    with capture_logs():
        async with calling(tmp_path, "keyed", clock) as api:
            yield api


async def made(api: Api, user: str = "user-123", **body: Any) -> dict[str, Any]:
    client = await api("POST", "/api/keys", {"name": "My Production Key", **body}, user=user)
    assert 201 == client.status, client.body
    return client.json


def refused(client: Client, status: int, param: str | None) -> bool:
    """Whether it is the one error shape, with this status and field."""
    body = client.json
    assert {"detail", "type", "status_code", "error"} <= body.keys()
    assert (body["detail"], body["type"]) == (body["error"]["message"], body["error"]["type"])
    return (status, status, param) == (client.status, body["status_code"], body["error"]["param"])


async def test_a_key_is_made_and_its_secret_shown_once(api: Api) -> None:
    answer = await made(api)
    assert {"key", "key_data"} == answer.keys()
    assert re.fullmatch(r"sk-ailb_[A-Za-z0-9_-]{43}", answer["key"])
    id, prefix = answer["key_data"]["id"], answer["key_data"]["prefix"]
    assert {**MEMBERS, "id": id, "prefix": prefix} == answer["key_data"]
    assert answer["key"].startswith(prefix)
    seen = await api("GET", f"/api/keys/{id}", user="user-123")
    listed = await api("GET", "/api/keys", user="user-123")
    assert (answer["key_data"], 200) == (seen.json, seen.status)
    assert {"keys": [answer["key_data"]], "total": 1, "limit": 100, "offset": 0} == listed.json
    assert answer["key"].encode() not in seen.body + listed.body


async def test_everything_that_can_be_set(api: Api) -> None:
    answer = await made(api, expires_at="2026-10-01T12:00:00+02:00", **FULL)
    assert {**MEMBERS, **FULL, "expires_at": "2026-10-01T10:00:00Z"}.items() <= {**answer["key_data"]}.items()


@pytest.mark.parametrize("end", ["1970-01-01T00:00:00Z", "2020-02-29", "1969-07-20T20:17:40Z"])
async def test_a_key_is_not_born_expired_but_may_be_made_to_end(api: Api, end: str) -> None:
    assert refused(await api("POST", "/api/keys", {"name": "a", "expires_at": end}), 400, "expires_at")
    assert ([], 0) == await api.keys.page()
    path = f"/api/keys/{(await made(api))['key_data']['id']}"
    assert "expired" == (await api("PATCH", path, {"expires_at": end}, user="user-123")).json["status"]


@pytest.mark.parametrize(("given", "text"), [(0.3, b"0.3"), (0.1 + 0.2, b"0.3"), (100, b"100.0"), (0, b"0.0"), (1e9, b"1000000000.0")])
async def test_money_is_exact(api: Api, given: float, text: bytes) -> None:
    client = await api("POST", "/api/keys", {"name": "a", "monthly_quota_dollars": given})
    assert b'"monthly_quota_dollars":' + text + b"," in client.body


BAD: dict[str, tuple[Any, ...]] = {
    "monthly_quota_dollars": (-1, -0.01, 1e10, "100", True, [], 10**30),
    "monthly_quota_tokens": (-1, 1.5, 10**16, 2**63, "5", True),
    "rate_limit_rpm": (0, -1, 60.0, 2**63, 10**30, "60", False, {}),
    "rate_limit_tpm": (0, -5, 1.5, 10**10),
    "max_parallel": (0, -1, 10**7),
    "allowed_models": ("gpt-4", {}, ["a"] * 257, 5),
    "expires_at": ("tomorrow", 1_700_000_000, "2026-10-01T12:00:00", "2026-13-01", "9" * 5000, True),
    "metadata": ("a", [], {"a": "x" * 5000}),
    "name": ("", " ", None, 5, "a" * 257, "a\nb", "a\x00", "\u202e"),
    "user_id": ("", 5, "a" * 257, "a,b", "a\x00", " a"),
    **dict.fromkeys(("id", "key", "status", "role", "admin", "budget", "created_at", "prefix", "quota_nanos", "base_url"), ("x",)),
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
async def test_what_cannot_be_set(api: Api, field: str, value: Any) -> None:
    try:
        client = await api("POST", "/api/keys", {"name": "a", field: value})
    except TypeError:  # orjson writes no integer of this size; a client may
        client = await api("POST", "/api/keys", f'{{"name": "a", "{field}": {value}}}'.encode())
    assert refused(client, 400, field)
    assert ([], 0) == await api.keys.page()


@pytest.mark.parametrize(("field", "value"), [("allowed_models", [""]), ("allowed_models", [5]), ("allowed_collections", ["a" * 257])])
async def test_what_cannot_be_in_a_list(api: Api, field: str, value: Any) -> None:
    assert refused(await api("POST", "/api/keys", {"name": "a", field: value}), 400, f"{field}[0]")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"name": "a", "rate_limit_rpm": NaN}', b'{"name": "\xff"}', b'\xef\xbb\xbf{"name": "a"}']
)
async def test_what_is_no_body(api: Api, body: bytes) -> None:
    client = await api("POST", "/api/keys", body, content_type="application/json")
    assert refused(client, 400, None)


async def test_one_way_to_write_a_user(api: Api) -> None:
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    first = await api("POST", "/api/keys", {"name": "a", "user_id": decomposed})
    assert composed == first.json["key_data"]["user_id"]
    for user in (composed, decomposed):
        assert 1 == (await api("GET", "/api/keys", user=user.encode().decode("latin-1"))).json["total"]


async def test_for_whom_a_key_is_made(api: Api) -> None:
    assert "anonymous" == (await made(api, user=""))["key_data"]["user_id"]
    assert "bob" == (await made(api, user_id="bob"))["key_data"]["user_id"]


async def test_the_admin_makes_keys_for_anybody_and_sees_all(keyed: Api) -> None:
    for body, user in (({}, ""), ({"user_id": "bob"}, ""), ({}, "ann"), ({"user_id": "bob"}, "ann")):
        assert 201 == (await keyed("POST", "/api/keys", {"name": "a", **body}, bearer=ADMIN, user=user)).status
    everybody = (await keyed("GET", "/api/keys", bearer=ADMIN)).json
    assert ["ann", "anonymous", "bob", "bob"] == sorted(key["user_id"] for key in everybody["keys"])
    assert 1 == (await keyed("GET", "/api/keys", bearer=ADMIN, user="ann")).json["total"]


async def test_a_user_makes_keys_for_itself_only(tmp_path: Path, clock: SetClock) -> None:
    async with calling(tmp_path, "proxied", clock) as api:
        client = await api("POST", "/api/keys", {"name": "a", "user_id": "bob"}, user="ann", peer="10.0.0.1")
        assert refused(client, 403, "user_id")
        client = await api("POST", "/api/keys", {"name": "a", "user_id": "ann"}, user="ann", peer="10.0.0.1")
        assert 201 == client.status


async def test_a_change(api: Api) -> None:
    data = (await made(api, **FULL))["key_data"]
    path = f"/api/keys/{data['id']}"
    changed = await api("PATCH", path, {"name": "Updated Name", "rate_limit_rpm": 120, "allowed_models": None}, user="user-123")
    expected = {**data, "name": "Updated Name", "rate_limit_rpm": 120, "allowed_models": None}
    assert (200, expected) == (changed.status, changed.json)
    assert expected == (await api("GET", path, user="user-123")).json
    cleared = await api("PATCH", path, {"monthly_quota_dollars": None}, user="user-123")
    assert (None, 10_000_000) == (cleared.json["monthly_quota_dollars"], cleared.json["monthly_quota_tokens"])
    assert 200 == (await api("PATCH", path, {}, user="user-123")).status


@pytest.mark.parametrize(
    ("field", "value"),
    [("user_id", "bob"), ("status", "active"), ("id", "x"), ("name", None), ("name", ""), ("rate_limit_rpm", -1), ("nmae", "x")],
)
async def test_what_cannot_be_changed(api: Api, field: str, value: Any) -> None:
    data = (await made(api))["key_data"]
    path = f"/api/keys/{data['id']}"
    assert refused(await api("PATCH", path, {field: value}, user="user-123"), 400, field)
    assert data == (await api("GET", path, user="user-123")).json


async def test_a_key_is_revoked_once(api: Api) -> None:
    answer = await made(api)
    path = f"/api/keys/{answer['key_data']['id']}"
    assert 404 == (await api("DELETE", path, user="somebody-else")).status
    gone = await api("DELETE", path, user="user-123")
    assert (204, b"") == (gone.status, gone.body)
    assert await api.keys.find(answer["key"]) is None
    assert refused(await api("DELETE", path, user="user-123"), 409, None)
    assert refused(await api("PATCH", path, {"name": "x"}, user="user-123"), 409, None)
    assert refused(await api("POST", f"{path}/rotate", {}, user="user-123"), 409, None)
    assert "revoked" == (await api("GET", path, user="user-123")).json["status"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("id", ["key-123", "key-" + "0" * 32, "x" * 500, "'%20OR%201=1", "\u00e9"])
async def test_no_such_key(api: Api, method: str, id: str) -> None:
    client = await api(method, f"/api/keys/{id.encode().decode('latin-1')}", {} if method == "PATCH" else b"", user="user-123")
    assert client.status in (400, 404)


async def test_rotation(api: Api, clock: SetClock) -> None:
    old = await made(api)
    path = f"/api/keys/{old['key_data']['id']}/rotate"
    new = await api("POST", path, {"grace_seconds": 60}, user="user-123")
    assert 200 == new.status
    assert {**old["key_data"], "prefix": new.json["key"][:12]} == new.json["key_data"]
    assert None not in [await api.keys.find(secret) for secret in (old["key"], new.json["key"])]
    clock.now += 60
    assert await api.keys.find(old["key"]) is None
    third = await api("POST", path, user="user-123")
    assert (200, None) == (third.status, await api.keys.find(new.json["key"]))


@pytest.mark.parametrize("grace", [-1, 1.5, "60", 10**9, None, True])
async def test_no_such_grace(api: Api, grace: Any) -> None:
    path = f"/api/keys/{(await made(api))['key_data']['id']}/rotate"
    assert refused(await api("POST", path, {"grace_seconds": grace}, user="user-123"), 400, "grace_seconds")


async def test_pages_and_states(api: Api, clock: SetClock) -> None:
    for n in range(3):
        clock.now += 1
        await made(api, name=str(n), expires_at="2026-09-15" if n == 2 else None)
    listed = await api("GET", "/api/keys?limit=1&offset=1", user="user-123")
    assert (["1"], 3, 1, 1) == ([key["name"] for key in listed.json["keys"]], *(listed.json[name] for name in ("total", "limit", "offset")))
    clock.now += 3 * 86_400
    for status, names in (("active", ["1", "0"]), ("expired", ["2"]), ("revoked", [])):
        client = await api("GET", f"/api/keys?status={status}", user="user-123")
        assert names == [key["name"] for key in client.json["keys"]]
        assert {status} >= {key["status"] for key in client.json["keys"]}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "offset=-1", "offset=1e9", "status=", "status=dead"])
async def test_no_such_page(api: Api, query: str) -> None:
    assert refused(await api("GET", f"/api/keys?{query}", user="user-123"), 400, query.partition("=")[0])


async def test_a_method_that_there_is_not(api: Api) -> None:
    assert refused(await api("PUT", "/api/keys", {}), 405, None)


async def test_while_the_store_is_down(api: Api) -> None:
    api.database.ready = False
    assert refused(await api("POST", "/api/keys", {"name": "a"}), 503, None)
    assert refused(await api("GET", "/api/keys"), 503, None)
