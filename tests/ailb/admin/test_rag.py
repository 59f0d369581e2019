"""/api/rag/collections and search, by everybody who may call."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.ailb.admin.calling import ADMIN, Api, calling
from tests.ailb.store.clocks import SetClock
from tests.ailb.store.shelf import pieces, upload

ALL = "/api/rag/collections"


@pytest.fixture(params=["keyed"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    with capture_logs():
        async with calling(tmp_path, request.param, SetClock()) as api:
            yield api


async def key(api: Api, user: str, **terms: Any) -> str:
    secret, _ = await api.keys.create(user, {"name": "test", **terms})
    return secret


async def filled(api: Api, owner: str, name: str, *texts: str) -> None:
    collection = await api.documents.create(owner, name)
    for number, text in enumerate(texts):
        await api.documents.put(collection, upload(f"d{number}", text), pieces(text))


async def test_a_collection_from_its_making_to_its_end(api: Api) -> None:
    ann = await key(api, "ann")
    made = await api("POST", ALL, {"name": "docs", "metadata": {"team": 1}}, bearer=ann)
    assert (201, "docs", False, None, 0, 0, {"team": 1}) == (
        made.status,
        *(made.json[name] for name in ("name", "shared", "embedder", "documents", "chunks", "metadata")),
    )
    assert 409 == (await api("POST", ALL, {"name": "docs"}, bearer=ann)).status
    assert made.json == (await api("GET", f"{ALL}/docs", bearer=ann)).json
    page = (await api("GET", f"{ALL}?limit=1", bearer=ann)).json
    assert {"collections": [made.json], "total": 1, "limit": 1, "offset": 0} == page
    assert 204 == (await api("DELETE", f"{ALL}/docs", bearer=ann)).status
    assert [404, 404] == [(await api(method, f"{ALL}/docs", bearer=ann)).status for method in ("GET", "DELETE")]


async def test_passages_come_with_all_that_is_known_of_them(api: Api) -> None:
    await filled(api, "ann", "docs", "The quick brown fox", "A lazy dog")
    found = await api("POST", f"{ALL}/docs/search", {"query": "dogs", "top_k": 1}, bearer=await key(api, "ann"))
    ((passage,), degraded) = found.json["passages"], found.json["degraded"]
    assert ("d1", "A lazy dog", 1.0, None) == (passage["document"], passage["text"], passage["score"], degraded)
    assert {"id", "document", "text", "title", "source", "heading", "page", "score", "metadata"} == set(passage)


async def test_shared_ones_are_made_and_changed_by_the_admin_and_read_by_all(api: Api) -> None:
    ann = await key(api, "ann")
    assert 403 == (await api("POST", ALL, {"name": "all", "shared": True}, bearer=ann)).status
    assert 201 == (await api("POST", ALL, {"name": "all", "shared": True}, bearer=ADMIN)).status
    texts = {"documents": [{"id": "a", "text": "For everybody"}]}
    assert 201 == (await api("POST", f"{ALL}/all/documents", texts, bearer=ADMIN)).status
    assert True is (await api("GET", f"{ALL}/all", bearer=ann)).json["shared"]
    assert ["a"] == [
        each["document"] for each in (await api("POST", f"{ALL}/all/search", {"query": "everybody"}, bearer=ann)).json["passages"]
    ]
    refused = [
        await api("DELETE", f"{ALL}/all", bearer=ann),
        await api("DELETE", f"{ALL}/all/documents/a", bearer=ann),
        await api("POST", f"{ALL}/all/documents", texts, bearer=ann),
        await api("PUT", f"{ALL}/all/documents/a/chunks", {"hash": "00" * 32, "chunks": [{"text": "x"}]}, bearer=ann),
    ]
    assert [403] * 4 == [each.status for each in refused]
    assert 204 == (await api("DELETE", f"{ALL}/all", bearer=ADMIN)).status


async def test_a_key_has_the_collections_that_it_is_allowed(api: Api) -> None:
    for name in ("a", "b"):
        await filled(api, "ann", name, "text")
    some = await key(api, "ann", allowed_collections=["b", "c"])
    assert ["b"] == [each["name"] for each in (await api("GET", ALL, bearer=some)).json["collections"]]
    assert [404, 200] == [(await api("POST", f"{ALL}/{name}/search", {"query": "text"}, bearer=some)).status for name in ("a", "b")]
    assert [403, 201] == [(await api("POST", ALL, {"name": name}, bearer=some)).status for name in ("d", "c")]
    assert [404, 404] == [(await api("DELETE", path, bearer=some)).status for path in (f"{ALL}/a", f"{ALL}/a/documents/d0")]


async def test_whose_it_is_comes_from_the_key_and_from_nothing_else(api: Api) -> None:
    """Fault K2: whatever is sent beside it."""
    await filled(api, "ann", "docs", "canary of ann")
    await filled(api, "bob", "docs", "canary of bob")
    bob = await key(api, "bob")
    for headers in ({}, {"user": "ann"}, {"x_session_id": "ann"}):
        found = await api("POST", f"{ALL}/docs/search", {"query": "canary ann"}, bearer=bob, **headers)
        assert ["canary of bob"] == [each["text"] for each in found.json["passages"]]
    for query in ("?user_id=ann", "?owner=ann", "?where={}"):
        found = await api("POST", f"{ALL}/docs/search{query}", {"query": "canary ann"}, bearer=bob)
        assert ["canary of bob"] == [each["text"] for each in found.json["passages"]]
    others: list[dict[str, Any]] = [{"user_id": "ann"}, {"where": {"$ne": ""}}, {"filter": {"$or": []}}, {"owner": None}]
    for more in others:
        assert 400 == (await api("POST", f"{ALL}/docs/search", {"query": "canary", **more}, bearer=bob)).status
    for name in ("%00", "..", "*", "docs%27", "%25"):
        assert (await api("POST", f"{ALL}/{name}/search", {"query": "canary"}, bearer=bob)).status in (400, 404)


async def test_the_admin_acts_for_whom_he_names_and_for_nobody_otherwise(api: Api) -> None:
    await filled(api, "ann", "docs", "text")
    assert [200, 404, 404] == [(await api("GET", f"{ALL}/docs", bearer=ADMIN, user=user)).status for user in ("ann", "bob", "")]
    assert 0 == (await api("GET", ALL, bearer=ADMIN)).json["total"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "offset=-1", "limit=x"])
async def test_pages_have_bounds(api: Api, query: str) -> None:
    assert 400 == (await api("GET", f"{ALL}?{query}", bearer=ADMIN)).status
