"""/api/rag/collections/{name}/documents: texts, files, and chunks that were made elsewhere."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from ailb.admin.rag_bodies import MOST_JSON
from tests.ailb.admin.calling import ADMIN, Api, calling
from tests.ailb.admin.test_forms import form, head
from tests.ailb.serving import Client
from tests.ailb.store.clocks import SetClock

ALL = "/api/rag/collections"
DOCS = f"{ALL}/docs/documents"
HASH = sha256(b"x").hexdigest()
FORM = "multipart/form-data; boundary=xyz"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    with capture_logs():
        async with calling(tmp_path, "keyed", SetClock()) as api:
            await api.documents.create("ann", "docs")
            yield api


async def ann(api: Api, method: str, path: str, body: Any = b"", **headers: str) -> Client:
    return await api(method, path, body, bearer=ADMIN, user="ann", **headers)


async def found(api: Api, query: str) -> list[str]:
    return [each["text"] for each in (await ann(api, "POST", f"{ALL}/docs/search", {"query": query})).json["passages"]]


async def listed(api: Api) -> list[str]:
    return [each["id"] for each in (await ann(api, "GET", DOCS)).json["documents"]]


@pytest.mark.parametrize("id", ["https://host/x?y=1&z", "../../x", "..", "a//b", "c\\d", "a/chunks"])
async def test_whatever_came_in_can_be_deleted(api: Api, id: str) -> None:
    assert 201 == (await ann(api, "POST", DOCS, {"documents": [{"id": id, "text": "A fox."}]})).status
    assert [id] == await listed(api)
    assert 204 == (await ann(api, "DELETE", f"{DOCS}?id={quote(id, safe='')}")).status
    assert [] == await listed(api)
    assert 400 == (await ann(api, "DELETE", DOCS)).status


async def test_texts_come_in_and_are_found_and_listed(api: Api) -> None:
    body = {
        "documents": [{"id": "a/b.md", "text": "# Rules\n\nA fox sleeps.", "source": "s", "metadata": {"k": 1}}, {"text": "A dog barks."}]
    }
    taken = await ann(api, "POST", DOCS, body)
    assert 201 == taken.status
    first, second = taken.json["documents"]
    assert ("a/b.md", "Rules", "s", {"k": 1}, 1) == tuple(first[name] for name in ("id", "title", "source", "metadata", "chunks"))
    assert sha256(b"A dog barks.").hexdigest() == second["hash"]
    assert f"doc-{second['hash'][:24]}" == second["id"]
    page = (await ann(api, "GET", f"{DOCS}?limit=1&offset=1")).json
    assert ({"total": 2, "limit": 1, "offset": 1}, [second]) == ({k: page[k] for k in ("total", "limit", "offset")}, page["documents"])
    assert ["A dog barks."] == await found(api, "dog")
    assert 204 == (await ann(api, "DELETE", f"{DOCS}/a/b.md")).status
    assert [] == await found(api, "fox")
    assert 404 == (await ann(api, "DELETE", f"{DOCS}/a/b.md")).status


async def test_what_has_not_changed_is_not_taken_in_again(api: Api) -> None:
    body = {"documents": [{"id": "a", "text": "A fox"}]}
    before, after = [(await ann(api, "POST", DOCS, body)).json["documents"][0] for _ in range(2)]
    assert before == after
    changed = (await ann(api, "POST", DOCS, {"documents": [{"id": "a", "text": "A fox", "title": "T"}]})).json["documents"][0]
    assert ("T", True) == (changed["title"], changed["updated_at"] != before["updated_at"])


async def test_files_come_in_by_their_names(api: Api) -> None:
    body = form((head("a.txt"), b"A fox"), (head("b.md", "text/markdown"), b"# Dogs\n\nbark"), (head("c.html"), b"<h1>Cats</h1><p>purr"))
    taken = await ann(api, "POST", DOCS, body, content_type=FORM)
    assert 201 == taken.status
    assert [("a.txt", "a"), ("b.md", "Dogs"), ("c.html", "Cats")] == [(each["id"], each["title"]) for each in taken.json["documents"]]
    assert 1 == len(await found(api, "purr"))


@pytest.mark.parametrize(
    ("body", "type", "status"),
    [
        (form((head("a.exe"), b"MZ")), FORM, 415),
        (form((head("a", "image/png"), b"x")), FORM, 415),
        (form((head("a.txt"), b"")), FORM, 400),
        (form((head("a.pdf"), b"no pdf")), FORM, 400),
        (b"", FORM, 400),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json", 400),
        (b'{"documents": [', "application/json", 400),
        (b'{"documents": [{"text": "' + b"x" * MOST_JSON + b'"}]}', "application/json", 413),
    ],
)
async def test_what_cannot_be_taken_in_is_refused_and_leaves_nothing(api: Api, body: bytes, type: str, status: int) -> None:
    assert status == (await ann(api, "POST", DOCS, body, content_type=type)).status
    assert [] == await listed(api)


async def test_a_form_may_have_as_many_bytes_as_a_body(api: Api) -> None:
    most = api.gateway.snapshot.config.server.max_body_bytes
    assert 413 == (await ann(api, "POST", DOCS, form((head("a.txt"), b"x" * most)), content_type=FORM)).status


def chunks(*texts: str, **more: Any) -> dict[str, Any]:
    return {"hash": HASH, "chunks": [{"text": text, "heading": "H", "page": 3} for text in texts], **more}


async def test_chunks_come_in_batches_and_are_seen_with_the_last(api: Api) -> None:
    put = f"{DOCS}/guide/a.md/chunks"
    meta = {"title": "T", "source": "s", "bytes": 99, "metadata": {"k": "v"}}
    assert {"chunks": 2} == (await ann(api, "PUT", put, chunks("fox one", "fox two", last=False, **meta))).json
    assert ([], []) == (await found(api, "fox"), await listed(api))
    assert 409 == (await ann(api, "PUT", put, chunks("x", first=5))).status
    assert {"chunks": 3} == (await ann(api, "PUT", put, chunks("fox three", first=2, **meta))).json
    (document,) = (await ann(api, "GET", DOCS)).json["documents"]
    assert ("guide/a.md", HASH, "T", "s", 99, 3, {"k": "v"}) == tuple(
        document[name] for name in ("id", "hash", "title", "source", "bytes", "chunks", "metadata")
    )
    passage = (await ann(api, "POST", f"{ALL}/docs/search", {"query": "three"})).json["passages"][0]
    assert ("guide/a.md", "H", 3) == (passage["document"], passage["heading"], passage["page"])


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"hash": HASH, "chunks": []}, 400, "chunks"),
        ({"hash": "0", "chunks": [{"text": "x"}]}, 400, "hash"),
        ({"hash": HASH, "chunks": [{"text": "x", "vector": [1.0]}]}, 400, "chunks[0].vector"),
        ({"hash": HASH, "embedder": "bag-1", "chunks": [{"text": "x", "vector": [1.0]}]}, 409, "embedder"),
        (b'{"hash": "%b", "embedder": "b", "chunks": [{"text": "x", "vector": [NaN]}]}' % HASH.encode(), 400, None),
        (b'{"hash": "%b", "embedder": "b", "chunks": [{"text": "x", "vector": [1e999]}]}' % HASH.encode(), 400, None),
    ],
)
async def test_chunks_that_are_not_good_are_refused(api: Api, body: Any, status: int, param: str | None) -> None:
    answer = await ann(api, "PUT", f"{DOCS}/a/chunks", body)
    assert (status, param) == (answer.status, answer.json["error"]["param"])


async def test_a_large_body_of_chunks_has_its_limit(api: Api) -> None:
    body = chunks(*("x" * 15_000 for _ in range(200)))
    assert 413 == (await ann(api, "PUT", f"{DOCS}/a/chunks", body)).status
    assert {"chunks": 100} == (await ann(api, "PUT", f"{DOCS}/a/chunks", chunks(*("x" * 15_000 for _ in range(100))))).json


@pytest.mark.parametrize("id", ["%1Fa", "x" * 201, "a%00"])
async def test_ids_are_checked_in_paths_too(api: Api, id: str) -> None:
    assert 400 == (await ann(api, "DELETE", f"{DOCS}/{id.replace('%1F', chr(31)).replace('%00', chr(0))}")).status
    assert 400 == (await ann(api, "PUT", f"{DOCS}/{id.replace('%1F', chr(31)).replace('%00', chr(0))}/chunks", chunks("x"))).status
