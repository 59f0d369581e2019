"""Documents of several users behind one gateway, with its own store, memory and budgets around them."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.paying import api, audited, new_key, started, written
from tests.e2e.raw import Answer
from tests.e2e.scripts import says
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked
from tests.middleware.test_rag_block import ATTACKS

USERS = [f"user-{number}" for number in range(8)]
QUESTION = "How long may customers return products?"
CONTROL = re.compile(r"[\x0b\x0c\x1c\x85]")
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
def gateway(engine: str, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Documents are found by their words only, so that no model has to be loaded."""
    file: Path = written(engine, upstream, tmp_path_factory.mktemp(f"documents-{engine}"))
    inner = '[[layer]]\nuse = "memory"\n[[layer]]\nuse = "rag"\n[[layer]]\nuse = "routing"\n'
    file.write_text(file.read_text().replace('[[layer]]\nuse = "routing"\n', inner) + '[embed]\nembedder = "none"\n')
    with started(file) as gateway:
        yield gateway
    assert "differences" in audited(file)


@pytest.fixture(scope="module")
def keys(gateway: Gateway) -> dict[str, str]:
    """Each user's key, whose collection `docs` has a document of his own in it."""
    made = {user: new_key(gateway, user_id=user)[0] for user in USERS}
    for user, key in made.items():
        put(
            gateway,
            key,
            "docs",
            [{"id": "terms", "text": f"Customers of {user} may return products for canary-{user} days.", "title": user}],
        )
    return made


def put(gateway: Gateway, key: str, collection: str, documents: list[dict[str, Any]]) -> None:
    api(gateway, "POST", "/api/rag/collections", {"name": collection}, key)
    api(gateway, "POST", f"/api/rag/collections/{collection}/documents", {"documents": documents}, key)


def ask(gateway: Gateway, model: str, key: str, text: str = QUESTION, **more: Any) -> Answer:
    headers = {"authorization": f"Bearer {key}"}
    return gateway.chat(model, headers=headers, messages=[{"role": "user", "content": text}], **more)


def prompts(upstream: Upstream, model: str) -> list[list[tuple[str, str]]]:
    return [[(message["role"], message["content"]) for message in call.json["messages"]] for call in upstream.calls(model)]


def test_nobody_is_answered_from_somebody_elses_documents(gateway: Gateway, upstream: Upstream, keys: dict[str, str]) -> None:
    models = {user: upstream.on(says("[1]")) for user in USERS}
    turns = [user for _ in range(10) for user in USERS]
    with ThreadPoolExecutor(8) as several:
        answers = list(several.map(lambda user: ask(gateway, models[user], keys[user], rag_collection="docs", user=USERS[0]), turns))
    assert {(200, "1")} == {(answer.status, answer.header("x-ailb-rag-sources")) for answer in answers}
    told = {user: answer.json["choices"][0]["message"]["annotations"] for user, answer in zip(turns, answers, strict=True)}
    assert {user: [{"type": "file_citation", "file_id": "terms", "filename": user, "index": 0}] for user in USERS} == told
    for user in USERS:
        found = prompts(upstream, models[user])
        assert 10 == len(found)
        assert {True} == {f"canary-{user} " in told and 1 == told.count("canary-") for ((_, told),) in found}


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        ({"user_id": "stranger"}, 404, "collection_not_found"),
        ({"user_id": USERS[0], "allowed_collections": ["other"]}, 403, "collection_not_allowed"),
    ],
)
def test_nobody_learns_of_a_collection_that_is_not_his(
    gateway: Gateway, upstream: Upstream, keys: dict[str, str], limits: dict[str, Any], status: int, code: str
) -> None:
    model, (stranger, _) = upstream.on(says("no")), new_key(gateway, **limits)
    answers = [ask(gateway, model, stranger, rag_collection=name) for name in ("docs", "nowhere")]
    assert [(status, code)] * 2 == [(answer.status, answer.error["code"]) for answer in answers]
    assert answers[0].error["message"].replace("docs", "nowhere") == answers[1].error["message"]
    assert [] == upstream.calls(model)


def test_memory_remembers_what_was_said_and_not_what_was_looked_up(gateway: Gateway, upstream: Upstream, keys: dict[str, str]) -> None:
    model, key, more = upstream.on(says("Thirty days [1].")), keys[USERS[1]], {"rag_collection": "docs", "session_id": "talk"}
    for text in (QUESTION, "And in Germany?"):
        answer = ask(gateway, model, key, text, **more)
        assert ("1", None) == (answer.header("x-ailb-rag-sources"), answer.header("x-ailb-memory"))
    first, second = prompts(upstream, model)
    assert [("user", QUESTION), ("assistant", "Thirty days [1].")] == second[:2]
    told = [content.removesuffix(f"\n\n{asked}") for (_, content), asked in ((first[-1], QUESTION), (second[-1], "And in Germany?"))]
    assert (1, 3, True, True) == (len(first), len(second), "<sources " in told[0], told[0] == told[1])
    deadline = monotonic() + 10
    while "And in Germany?" not in str(exported := api(gateway, "GET", "/api/sessions/talk", key=key)) and monotonic() < deadline:
        sleep(0.05)  # It is written down behind the answer.
    assert [False, False, True] == [part in str(exported) for part in ("<sources", "canary", "And in Germany?")]


def test_what_would_be_looked_up_is_explained_and_in_the_hold(gateway: Gateway, upstream: Upstream, keys: dict[str, str]) -> None:
    model, key = upstream.on(says("no")), keys[USERS[2]]
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 9}
    plain, told = (api(gateway, "POST", "/api/routing/explain", {**body, **more}, key) for more in ({}, {"rag_collection": "docs"}))
    (source,) = told["rag"]["sources"]
    assert ("docs", "found", 1, "terms", USERS[2]) == (
        told["rag"]["collection"],
        told["rag"]["outcome"],
        source["number"],
        source["document"],
        source["title"],
    )
    assert told["holds"][0]["prompt_tokens"] > plain["holds"][0]["prompt_tokens"] + 50
    assert ([], False) == (upstream.calls(model), "rag" in plain)


def test_poisoned_documents_choose_nothing(gateway: Gateway, upstream: Upstream) -> None:
    key, _ = new_key(gateway, user_id="poisoned", monthly_quota_dollars=1)
    texts = [f"products {attack}" for attack in ATTACKS if not CONTROL.search(attack)]  # which no text may have that is taken in
    put(gateway, key, "bad", [{"id": f"d{number}", "text": text} for number, text in enumerate(texts)])
    plain, model = upstream.on(says("Hi")), upstream.on(says("Hi"))
    more: dict[str, Any] = {"tools": TOOLS, "max_tokens": 9, "temperature": 0.5}
    ask(gateway, plain, key, **more)
    answer = ask(gateway, model, key, rag_collection="bad", rag_top_k=50, **more)
    (clean,), (call,) = (upstream.calls(name) for name in (plain, model))
    found = int(answer.header("x-ailb-rag-sources") or 0)
    assert (200, True) == (answer.status, found >= len(texts))
    assert {**clean.json, "messages": [], "model": ""} == {**call.json, "messages": [], "model": ""}
    ((role, told),) = prompts(upstream, model)[0]
    block = told.removesuffix(f"\n\n{QUESTION}")
    assert ("user", True) == (role, block != told)
    mark = block.rpartition("</sources ")[2].removesuffix(">")
    assert (3, found) == (block.count(mark), len([line for line in block.split("\n") if line.startswith("[")]))
    assert len(block) <= 12_000
    assert ("a", "a") == (answer.header("x-ailb-provider"), ask(gateway, plain, key).header("x-ailb-provider"))


def test_streams_are_told_too(gateway: Gateway, upstream: Upstream, keys: dict[str, str]) -> None:
    model = upstream.on(says("It is [", "1].", " [4]"))
    with gateway.client() as client:
        body = asked(model, True, rag_collection="docs").replace(b'"hi"', f'"{QUESTION}"'.encode())
        answer = client.post(body, headers={"authorization": f"Bearer {keys[USERS[3]]}", "x-request-id": "streamed"}).answer()
    assert (200, 1, "1") == (answer.status, answer.body.count(b'"file_citation"'), answer.header("x-ailb-rag-sources"))
    (entry,) = gateway.entries("streamed", 1)
    assert ("found", [4]) == (entry["rag"], entry["rag_unknown"])
