"""A request explained before it is made, and looked at after it, on a real gateway."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.paying import ADMIN, COST, api, audited, new_key, rows, settled, started, written
from tests.e2e.raw import request
from tests.e2e.scripts import hello
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


@pytest.fixture
def model(upstream: Upstream) -> str:
    return upstream.on(hello, b=hello)


@pytest.fixture
def file(engine: str, upstream: Upstream, tmp_path: Path, model: str) -> Path:
    """The first target cannot do tools."""
    file = written(engine, upstream, tmp_path)
    targets = f'{{ provider = "a", model = "{model}", lacks = ["tools"] }}, {{ provider = "b", model = "{model}", priority = 1 }}'
    text = file.read_text().replace('[[layer]]\nuse = "auth"\n', '[[layer]]\nuse = "records"\n[[layer]]\nuse = "auth"\n')
    file.write_text(f'{text}[[model]]\nname = "fast"\ntargets = [{targets}]\n')
    return file


@pytest.fixture
def gateway(file: Path) -> Iterator[Gateway]:
    with started(file) as gateway:
        yield gateway
    assert "differences" in audited(file)


def explained(gateway: Gateway, key: str, **more: Any) -> Any:
    return api(gateway, "POST", "/api/routing/explain", orjson.loads(asked("fast", False, tools=TOOLS, **more)), key)


def books(file: Path) -> dict[str, list[Any]]:
    """Every row of the tables that money is in."""
    with closing(sqlite3.connect(file.parent / "ailb.db")) as database:
        return {table: database.execute(f"SELECT * FROM {table}").fetchall() for table in ("holds", "entries", "spend", "counters")}


def test_what_it_tells_comes_true_and_takes_nothing(gateway: Gateway, upstream: Upstream, model: str, file: Path) -> None:
    secret, id = new_key(gateway, monthly_quota_dollars=0.01, rate_limit_rpm=2)
    for _ in range(5):  # more than the limit lets through
        told = explained(gateway, secret, max_tokens=1000)
    assert (f"ask b/{model}", {"user": "ann", "key_id": id}) == (told["would"], told["caller"])
    assert [("b", True, ""), ("a", False, "cannot do tools")] == [(c["provider"], c["kept"], c["reason"]) for c in told["candidates"]]
    assert [("requests", 2, 2)] == [(limit["kind"], limit["limit"], limit["left"]) for limit in told["limits"]]
    (hold,) = told["holds"]
    assert (10, 0.01, True, None) == (hold["output_tokens"], hold["worst_usd"], hold["capped"], hold["refused"])
    assert [("key", 0, False)] == [(budget["scope"], budget["left_usd"], budget["refuses"]) for budget in hold["budgets"]]
    assert ([], {"holds": [], "entries": [], "spend": [], "counters": []}) == (upstream.calls(model), books(file))

    answer = gateway.chat("fast", headers={"authorization": f"Bearer {secret}", "x-request-id": "mine"}, tools=TOOLS, max_tokens=1000)
    assert (200, "b", "10") == (answer.status, answer.header("x-ailb-provider"), answer.header("x-ailb-max-tokens-clamped"))
    made = api(gateway, "GET", "/api/requests/mine", key=secret)
    assert (told["holds"], told["candidates"], told["limits"][0]["left"]) == (made["holds"], made["candidates"], made["limits"][0]["left"])
    assert ("complete", COST, [(1, "b", 200, None)]) == (
        made["outcome"],
        made["cost"]["usd"],
        [(one["number"], one["provider"], one["status"], one["error"]) for one in made["attempts"]],
    )
    assert COST == settled(gateway, id)["current_spend"]
    assert [COST] == [row["cost"] for row in rows(gateway, id)]


def test_a_budget_that_is_spent_is_named(gateway: Gateway, upstream: Upstream, model: str) -> None:
    secret, _ = new_key(gateway, monthly_quota_dollars=0)
    told = explained(gateway, secret)
    assert ("refuse", 402) == (told["would"], told["refusal"]["status_code"])
    assert [["key"]] == [[budget["scope"] for budget in hold["budgets"] if budget["refuses"]] for hold in told["holds"]]
    assert [] == upstream.calls(model)


def test_nobody_sees_the_requests_of_others(gateway: Gateway) -> None:
    secret, _ = new_key(gateway)
    bobs = api(gateway, "POST", "/api/keys", {"name": "test", "user_id": "bob"})["key"]
    gateway.chat("fast", headers={"authorization": f"Bearer {secret}", "x-request-id": "mine"}, tools=TOOLS)
    assert "ann" == api(gateway, "GET", "/api/requests/mine")["caller"]["user"]
    answers = []
    with gateway.client() as client:
        for id in ("mine", "none"):
            client.send(request("GET", f"/api/requests/{id}", None, {"authorization": f"Bearer {bobs}"}))
            answers.append(client.answer())
    assert [404, 404] == [answer.status for answer in answers]
    assert answers[0].body == answers[1].body


def test_the_command_tells_it_in_tables(gateway: Gateway, tmp_path: Path) -> None:
    secret, _ = new_key(gateway, monthly_quota_dollars=0.01)
    (tmp_path / "request.json").write_bytes(asked("fast", False, tools=TOOLS))
    ran = subprocess.run(
        [sys.executable, "-m", "ailb", "explain", str(tmp_path / "request.json"), "--url", f"http://127.0.0.1:{gateway.port}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, "AILB_ADMIN_KEY": secret, "COLUMNS": "200"},
    )
    assert (0, "") == (ran.returncode, ran.stderr)
    assert ran.stdout.startswith("would ask b/")
    assert "cannot do tools" in ran.stdout
    assert ADMIN not in ran.stdout + ran.stderr
