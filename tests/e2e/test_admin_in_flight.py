"""Budgets, keys and prices change while calls are under way (FAULTS A23): the last word counts, and the books balance."""

import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.paying import ADMIN, COST, api, audited, budget, new_key, rows, settled, started, written
from tests.e2e.raw import Client, request
from tests.e2e.scripts import held, hello
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked, said

OPEN = 20


def limited(gateway: Gateway, id: str, dollars: float) -> Any:
    return api(gateway, "POST", "/api/billing/budget", {"key_id": id, "monthly_limit_dollars": dollars})


def dearer(gateway: Gateway) -> None:
    """Ten times."""
    since = len(gateway.lines)
    gateway.file.write_text(gateway.file.read_text().replace("output = 1000.0", "output = 10000.0"))
    gateway.signal(signal.SIGHUP)
    gateway.line_with('"reloaded"', since=since)


def opened(gateway: Gateway, model: str, headers: dict[str, str | None]) -> Client:
    client = gateway.client().post(asked(model, stream=True, max_tokens=4), headers=headers)
    assert client.head().status == 200
    client.until(b"first")
    return client


def test_the_last_word_counts(engine: str, upstream: Upstream, tmp_path: Path, new_store: Callable[[], str]) -> None:
    file, gate = written(engine, upstream, tmp_path, new_store()), upstream.flag()
    going, model = upstream.on(held(gate, " last")), upstream.on(hello)
    with started(file) as gateway, ExitStack() as leaving:
        secret, id = new_key(gateway, monthly_quota_dollars=1)
        headers: dict[str, str | None] = {"authorization": f"Bearer {secret}"}
        clients = [leaving.enter_context(opened(gateway, going, headers)) for _ in range(OPEN)]
        held_now = OPEN * 4 * COST / 2
        assert budget(gateway, id)["reserved"] == pytest.approx(held_now)
        lowered = limited(gateway, id, held_now / 2)
        assert (lowered["remaining_budget"], lowered["status"]) == (0, "warning")
        assert 402 == gateway.chat(model, headers=headers, max_tokens=2).status
        limited(gateway, id, 1)
        assert 200 == gateway.chat(model, headers=headers, max_tokens=2).status
        dearer(gateway)
        assert 200 == gateway.chat(model, headers=headers, max_tokens=2).status
        api(gateway, "DELETE", f"/api/keys/{id}")
        assert 401 == gateway.chat(model, headers=headers).status
        gate.set()
        for client in clients:
            b"".join(client.chunks())
            assert said(client.read) == "first last"
        standing, found = settled(gateway, id), rows(gateway, id)
        assert Counter(row["status"] for row in found) == {"complete": OPEN + 2}
        assert {row["cost"] for row in found} == {COST, 10 * COST}, "what was under way keeps its price"
        assert standing["current_spend"] == pytest.approx((OPEN + 1) * COST + 10 * COST)
        assert (standing["monthly_limit_dollars"], api(gateway, "GET", f"/api/keys/{id}")["status"]) == (1, "revoked")
    assert "differences" in audited(file)


def test_a_hundred_calls_beside_an_admin_who_cannot_decide(
    engine: str, upstream: Upstream, tmp_path: Path, new_store: Callable[[], str]
) -> None:
    file, model = written(engine, upstream, tmp_path, new_store()), upstream.on(hello)
    with started(file) as gateway, ThreadPoolExecutor(8) as pool:
        secret, id = new_key(gateway, monthly_quota_dollars=1)

        def ask(_: int) -> int:
            return gateway.chat(model, headers={"authorization": f"Bearer {secret}"}, max_tokens=2).status

        asking = pool.map(ask, range(100))
        for cents in (0, 100, 5, 0, 100):
            limited(gateway, id, cents / 100)
        dearer(gateway)
        answered = Counter(asking)
        assert set(answered) <= {200, 402}
        standing, found = settled(gateway, id), rows(gateway, id)
        assert len(found) == answered[200] == len(upstream.calls(model))
        assert standing["monthly_limit_dollars"] == 1
        assert standing["current_spend"] == pytest.approx(sum(row["cost"] for row in found))
        api(gateway, "DELETE", f"/api/keys/{id}")
        with gateway.client() as client:
            client.send(request("PATCH", f"/api/keys/{id}", b'{"name":"back"}', {"authorization": f"Bearer {ADMIN}"}))
            assert client.answer().status == 409
        assert 401 == ask(0)
    assert "differences" in audited(file)
