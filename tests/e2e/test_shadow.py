"""Copies for another model on a real gateway with keys and budgets: the client neither hears of them nor pays."""

from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.e2e.gateway import Gateway, table
from tests.e2e.paying import ADMIN, COST, api, audited, new_key, settled, started, written
from tests.e2e.scripts import fails, hello, says, silent
from tests.e2e.upstream import Script, Upstream
from tests.e2e.wire import said


def shadowed(file: Path, **options: Any) -> Path:
    layer = '[[layer]]\nuse = "shadow"\n' + table({"model": ["m-*"], **options})
    file.write_text(file.read_text().replace('[[layer]]\nuse = "budget"', layer + '[[layer]]\nuse = "budget"'))
    return file


def copies(gateway: Gateway, number: int, seconds: float = 10) -> list[dict[str, Any]]:
    """The ledger's rows of the user `shadow`, waited for."""
    deadline = monotonic() + seconds
    while len(found := [row for row in usage(gateway) if row["user_id"] == "shadow"]) < number and monotonic() < deadline:
        sleep(0.05)  # They are made in the background; there is nothing to wait on from out here.
    assert len(found) == number
    return found


def usage(gateway: Gateway) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = api(gateway, "GET", "/api/billing/usage?limit=1000")["data"]
    return rows


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_copy_is_booked_apart_and_the_key_pays_for_its_own(engine: str, upstream: Upstream, tmp_path: Path, stream: bool) -> None:
    other = upstream.on(says("something", " else"))
    file = shadowed(written(engine, upstream, tmp_path), to=other)
    with started(file) as gateway:
        secret, id = new_key(gateway, monthly_quota_dollars=1)
        model = upstream.on(hello)
        headers = {"authorization": f"Bearer {secret}", "x-request-id": "req-one"}
        answer = gateway.chat(model, stream=stream, headers=headers, max_tokens=2, session_id="mine")
        assert (200, True) == (answer.status, b"something" not in answer.body)
        assert "hello" == (said(answer.body) if stream else answer.json["choices"][0]["message"]["content"])
        (copy,) = copies(gateway, 1)
        assert ("req-one-shadow", other, COST) == (copy["request_id"], copy["model"], copy["cost"])
        assert not copy["key_id"]
        assert settled(gateway, id)["current_spend"] == COST
        call = upstream.call(other)
        assert (stream, 2) == (bool(call.json.get("stream")), call.json["max_tokens"])
        assert "session_id" not in call.json
        (entry,) = [entry for entry in gateway.entries("req-one", 2) if entry["event"] == "request"]
        assert other == entry["shadowed"]
        text = gateway.get("/metrics", {"authorization": f"Bearer {ADMIN}"}).body.decode()
        assert f'ailb_shadow_requests_total{{model="{other}",outcome="complete"}} 1.0' in text
        assert [line for line in text.splitlines() if line.startswith("ailb_requests_total")] == [
            f'ailb_requests_total{{model="{model}",provider="a",status="200"}} 1.0'
        ]
    audited(file)


@pytest.mark.parametrize("script", [fails(500), silent], ids=["fails", "hangs"])
def test_one_that_does_badly_bothers_nobody_and_ends_with_the_gateway(
    engine: str, upstream: Upstream, tmp_path: Path, script: Script
) -> None:
    other = upstream.on(script, b=script)
    file = shadowed(written(engine, upstream, tmp_path), to=other, most_parallel=1)
    with started(file) as gateway:
        secret, id = new_key(gateway, monthly_quota_dollars=1)
        headers = {"authorization": f"Bearer {secret}"}
        for _ in range(3):
            answer = gateway.chat(upstream.on(hello), headers=headers, max_tokens=2)
            assert 200 == answer.status
        upstream.call(other)
        assert settled(gateway, id)["current_spend"] == pytest.approx(3 * COST)
    audited(file)
