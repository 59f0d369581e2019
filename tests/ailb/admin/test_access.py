"""Who may call which route of /api: a table that has to name every route that there is."""

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from structlog.testing import capture_logs

from ailb.admin.access import Access, ApiRoute, Principal
from ailb.admin.pages import answer
from ailb.errors import Forbidden
from ailb.records import Record
from ailb.sessions import Session
from ailb.store.documents_rows import Piece, Upload
from ailb.store.sessions import StoredSessions
from tests.ailb.admin.calling import ADMIN, Api, calling, endpoints
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.talking import say

CALLERS = ("none", "bad", "placeholder", "key", "other's key", "user", "spoof", "admin")
"""user: named by a trusted proxy. spoof: `X-User-ID` from elsewhere. admin: with the admin key."""

READ, WRITE = (401, 401, 401, 200, 200, 401, 401, 200), (401, 401, 401, 403, 403, 401, 401, 200)
ONE = (401, 401, 401, 200, 404, 401, 401, 200)
DELETE = (401, 401, 401, 204, 404, 401, 401, 204)
MATRIX: dict[tuple[str, str], tuple[int, ...]] = {
    ("GET", "/api/keys"): READ,
    ("POST", "/api/keys"): (*WRITE[:-1], 201),
    ("GET", "/api/keys/{id}"): ONE,
    ("PATCH", "/api/keys/{id}"): WRITE,
    ("DELETE", "/api/keys/{id}"): (*WRITE[:-1], 204),
    ("POST", "/api/keys/{id}/rotate"): WRITE,
    ("GET", "/api/billing/spend"): READ,
    ("GET", "/api/billing/usage"): READ,
    ("POST", "/api/billing/budget"): WRITE,
    ("GET", "/api/billing/budget/{id}"): ONE,
    ("POST", "/api/routing/explain"): READ,
    ("GET", "/api/routing/stats"): WRITE,
    ("GET", "/api/requests/{id}"): ONE,
    ("GET", "/api/rag/collections"): READ,
    ("POST", "/api/rag/collections"): (401, 401, 401, 201, 201, 401, 401, 201),
    ("GET", "/api/rag/collections/{id}"): ONE,
    ("DELETE", "/api/rag/collections/{id}"): DELETE,
    ("POST", "/api/rag/collections/{id}/search"): ONE,
    ("GET", "/api/rag/collections/{id}/documents"): ONE,
    ("POST", "/api/rag/collections/{id}/documents"): (401, 401, 401, 201, 404, 401, 401, 201),
    ("DELETE", "/api/rag/collections/{id}/documents/{id}"): DELETE,
    ("DELETE", "/api/rag/collections/{id}/documents"): DELETE,
    ("PUT", "/api/rag/collections/{id}/documents/{id}/chunks"): ONE,
    ("GET", "/api/sessions"): READ,
    ("GET", "/api/sessions/{id}"): ONE,
    ("DELETE", "/api/sessions/{id}"): (401, 401, 401, 204, 404, 401, 401, 204),
}
"""Every route, and what each caller gets in keyed mode. A route that is not in here fails the tests: say who may call it."""

OPERATORS = {("GET", "/api/routing/stats")}
"""Routes that a user whom a proxy vouches for may not call either."""

ROUTES = sorted(MATRIX)


def asked(route: tuple[str, str], id: str) -> tuple[str, str, dict[str, Any]]:
    """Method, path and body of a good request about the key `id`, or a request or session of that id."""
    bodies: dict[str, dict[str, Any]] = {
        "/api/keys": {"name": "new"},
        "/api/billing/budget": {"key_id": id, "monthly_limit_dollars": 5},
        "/api/routing/explain": {"messages": [{"role": "user", "content": "Hi"}]},
        "/api/rag/collections": {"name": f"new-{id}"},
        "/api/rag/collections/{id}/search": {"query": "Hi"},
        "/api/rag/collections/{id}/documents": {"documents": [{"id": id, "text": "Hi"}]},
        "/api/rag/collections/{id}/documents/{id}/chunks": {"hash": sha256(b"Hi").hexdigest(), "chunks": [{"text": "Hi"}]},
    }
    method, path = route
    query = f"?id={id}" if route == ("DELETE", "/api/rag/collections/{id}/documents") else ""
    return method, path.replace("{id}", id) + query, bodies.get(path, {})


@pytest.fixture(params=["keyed"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    with capture_logs():
        async with calling(tmp_path, request.param, SetClock()) as api:
            yield api


async def call(api: Api, route: tuple[str, str], caller: str, peer: str = "127.0.0.1") -> int:
    """The status that `caller` gets for ann's key."""
    anns, record = await api.keys.create("ann", {"name": "ann's"})
    api.records.put("ann", record.id, Record(b"{}", {}), keep=10)
    await say(StoredSessions(api.database), "hi", session=Session("ann", record.id))
    await shelve(api, record.id)
    bobs, _ = await api.keys.create("bob", {"name": "bob's"})
    bearers = {"bad": "sk-ailb_" + "x" * 43, "placeholder": "sk-none", "key": anns, "other's key": bobs, "admin": ADMIN}
    acts = caller == "admin" and route[1].startswith("/api/rag")  # names are a user's own, so the admin says whose
    user = "ann" if caller in ("user", "spoof") or acts else ""
    peer = "10.0.0.9" if caller == "user" else peer
    client = await api(*asked(route, record.id), bearer=bearers.get(caller, ""), user=user, peer=peer)
    return client.status


async def shelve(api: Api, name: str) -> None:
    """Ann's collection of that name, with a document of that name."""
    collection = await api.documents.create("ann", name)
    await api.documents.put(collection, Upload(name, sha256(b"Hi").digest()), [Piece("Hi")])


async def test_every_route_is_in_the_table(api: Api) -> None:
    assert set(MATRIX) == {(method, re.sub(r"{\w+(:path)?}", "{id}", path)) for method, path in endpoints(api.api)}


async def test_the_app_has_no_other_route_under_api(api: Api) -> None:
    mounted = [route for route in api.asgi.routes if isinstance(route, Mount) or getattr(route, "path", "/api").startswith("/api")]
    assert mounted == api.api
    assert {ApiRoute} == {type(route) for route in mounted}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
async def test_who_may_what_with_an_admin_key(api: Api, route: tuple[str, str], caller: str) -> None:
    assert MATRIX[route][CALLERS.index(caller)] == await call(api, route, caller)


@pytest.mark.parametrize("api", ["open"], indirect=True)
@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
async def test_an_open_data_plane_opens_no_management(api: Api, route: tuple[str, str]) -> None:
    for caller in CALLERS:
        assert MATRIX[route][CALLERS.index(caller)] == await call(api, route, caller)


@pytest.mark.parametrize("api", ["proxied"], indirect=True)
@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
async def test_a_trusted_proxy_is_believed_by_its_address(api: Api, route: tuple[str, str]) -> None:
    assert (403 if route in OPERATORS else MATRIX[route][-1]) == await call(api, route, "user")
    for caller in CALLERS:
        if caller != "user":
            assert MATRIX[route][CALLERS.index(caller)] == await call(api, route, caller)


@pytest.mark.parametrize("api", ["local"], indirect=True)
@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
async def test_in_local_mode_a_user_is_who_it_says_and_a_key_must_still_be_good(api: Api, route: tuple[str, str]) -> None:
    _, record = await api.keys.create("ann", {"name": "ann's"})
    api.records.put("ann", record.id, Record(b"{}", {}), keep=10)
    await say(StoredSessions(api.database), "hi", session=Session("ann", record.id))
    await shelve(api, record.id)
    call_it = asked(route, record.id)
    assert 401 == (await api(*call_it, bearer="sk-ailb_" + "x" * 43, user="ann")).status
    assert MATRIX[route][3] == await call(api, route, "key")
    if "{" in route[1]:
        assert 404 == (await api(*call_it, user="bob")).status
        assert 404 == (await api(*call_it)).status
    assert MATRIX[route][-1] == (await api(*call_it, user="ann", bearer="none")).status


class Echo:
    """An endpoint that says who is calling."""

    async def __call__(self, request: Request, principal: Principal) -> Response:
        return answer({"user": principal.user, "admin": principal.admin, "key": principal.key.id if principal.key else None})


@pytest.mark.parametrize(
    ("mode", "headers", "peer", "expected"),
    [
        ("local", {}, "127.0.0.1", ("anonymous", True)),
        ("local", {"user": "ann"}, "127.0.0.1", ("ann", True)),
        ("local", {"user": "ann", "bearer": "none"}, "127.0.0.1", ("ann", True)),
        ("keyed", {"bearer": ADMIN}, "127.0.0.1", (None, True)),
        ("keyed", {"bearer": ADMIN, "user": "ann"}, "127.0.0.1", ("ann", True)),
        ("keyed", {"x_api_key": ADMIN}, "127.0.0.1", (None, True)),
        ("keyed", {"user": "ann"}, "127.0.0.1", 401),
        ("keyed", {"user": "ann"}, "10.0.0.1", 401),
        ("keyed", {"bearer": ADMIN + "x", "user": "ann"}, "127.0.0.1", 401),
        ("keyed", {"bearer": "\xe9", "user": "ann"}, "127.0.0.1", 401),
        ("keyed", {"bearer": "sk-ailb_" + "\xe9" * 43}, "127.0.0.1", 401),
        ("keyed", {"bearer": "' OR 1=1 --"}, "127.0.0.1", 401),
        ("proxied", {"user": "ann"}, "10.0.0.1", ("ann", False)),
        ("proxied", {}, "10.0.0.1", 401),
        ("proxied", {"user": "ann", "bearer": "else"}, "10.0.0.1", 401),
        ("proxied", {"user": "ann"}, "11.0.0.1", 401),
        ("proxied", {"user": "ann", "x_forwarded_for": "10.0.0.1"}, "127.0.0.1", 401),
        ("proxied", {"user": "ann"}, "", 401),
        ("proxied", {"bearer": ADMIN, "user": "ann"}, "9.9.9.9", ("ann", True)),
        ("local", {"user": "a,b"}, "127.0.0.1", 400),
        ("local", {"user": "a" * 257}, "127.0.0.1", 400),
        ("local", {"user": "\xff"}, "127.0.0.1", 400),
        ("local", {"host": "attacker.example"}, "127.0.0.1", 421),
        ("local", {"origin": "https://attacker.example"}, "127.0.0.1", 403),
    ],
)
async def test_who_is_calling(
    tmp_path: Path, mode: str, headers: dict[str, str], peer: str, expected: tuple[str | None, bool] | int
) -> None:
    async with calling(tmp_path, mode, SetClock()) as api:
        api.asgi.router.routes.append(Access(api.gateway, api.keys).route("/api/me", {"GET": Echo()}, read="key"))
        client = await api("GET", "/api/me", peer=peer, **headers)
        if isinstance(expected, int):
            assert (expected, expected) == (client.status, client.json["status_code"])
        else:
            assert (200, *expected) == (client.status, client.json["user"], client.json["admin"])


async def test_a_key_is_its_user_whatever_stands_beside_it(api: Api) -> None:
    secret, record = await api.keys.create("ann", {"name": "a"})
    await api.keys.create("bob", {"name": "b"})
    for headers in ({"bearer": secret}, {"bearer": secret, "user": "bob"}, {"x_api_key": secret, "user": "bob"}):
        client = await api("GET", "/api/keys", **headers)
        assert [record.id] == [key["id"] for key in client.json["keys"]]


async def test_foreign_and_absent_look_the_same(api: Api) -> None:
    anns, _ = await api.keys.create("ann", {"name": "a"})
    _, bobs = await api.keys.create("bob", {"name": "b"})
    foreign, absent = [await api("GET", f"/api/keys/{id}", bearer=anns) for id in (bobs.id, "key-" + "0" * 32)]
    assert (404, foreign.body) == (foreign.status, absent.body)


@pytest.mark.parametrize("api", ["local", "keyed"], indirect=True)
@pytest.mark.parametrize(("media", "status"), [("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("", 400)])
async def test_what_a_web_page_can_send_without_asking_changes_nothing(api: Api, media: str, status: int) -> None:
    client = await api("POST", "/api/keys", {"name": "a"}, content_type=media, bearer=ADMIN)
    assert status == client.status
    assert ([], 0) == await api.keys.page()


async def test_without_the_store_nobody_gets_in_by_a_key(api: Api) -> None:
    secret, _ = await api.keys.create("ann", {"name": "a"})
    api.database.ready = False
    assert 503 == (await api("GET", "/api/keys", bearer=secret)).status


@pytest.mark.parametrize(
    ("principal", "asked", "user"),
    [
        (Principal("ann"), None, "ann"),
        (Principal("ann"), "ann", "ann"),
        (Principal("ann", admin=True), "bob", "bob"),
        (Principal(None, admin=True), "bob", "bob"),
        (Principal(None, admin=True), None, "anonymous"),
        (Principal("ann"), "bob", None),
    ],
)
def test_for_whom_a_caller_acts(principal: Principal, asked: str | None, user: str | None) -> None:
    if user is None:
        with pytest.raises(Forbidden):
            principal.acts_for(asked)
    else:
        assert user == principal.acts_for(asked)


@pytest.mark.parametrize("api", ["local", "keyed", "open"], indirect=True)
async def test_a_key_lists_the_models_but_sees_no_metrics(api: Api) -> None:
    secret, _ = await api.keys.create("ann", {"name": "a"})
    bad = "sk-ailb_" + "x" * 43
    asked = [(await api("GET", "/v1/models", bearer=bearer)).status for bearer in (secret, bad, ADMIN)]
    assert [200, 401, 200] == asked
    if api.gateway.snapshot.config.auth.admin_key:
        assert [401, 200] == [(await api("GET", "/metrics", bearer=bearer)).status for bearer in (secret, ADMIN)]
