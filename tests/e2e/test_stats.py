"""`/api/routing/stats` and `/metrics` of a real gateway, while requests are under way and after some have failed."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from tests.e2e.conftest import Launch
from tests.e2e.gateway import Gateway
from tests.e2e.scripts import fails, held, hello
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked


def stats(gateway: Gateway) -> dict[str, Any]:
    answer = gateway.get("/api/routing/stats")
    assert 200 == answer.status
    told: dict[str, Any] = answer.json
    return told


def until(gateway: Gateway, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """They are counted behind the answer."""
    deadline = monotonic() + 5
    while not done(told := stats(gateway)) and monotonic() < deadline:
        sleep(0.02)  # Nothing tells a client when a request is settled.
    assert done(told), told
    return told


def test_what_failed_where_is_told(launch: Launch, upstream: Upstream) -> None:
    model = upstream.on(fails(500), b=hello)
    with launch() as gateway:
        for _ in range(6):
            assert 200 == gateway.chat(model, stream=True).status
        told = until(gateway, lambda told: told["total_requests"] == 6)
        assert ("failover", 6, 0, 1.0) == tuple(told[n] for n in ("strategy", "successful_requests", "failed_requests", "success_rate"))
        a, b = (told["providers"][name]["models"][model] for name in "ab")
        assert (5, 0.0, "open") == (a["requests"], a["success_rate"], a["circuit"])
        assert a["last_error"].startswith("500 ")
        assert a["last_error_at"].endswith("Z")
        assert (6, 1.0, "closed", None) == (b["requests"], b["success_rate"], b["circuit"], b["last_error"])
        assert 0 < b["avg_ttft_ms"] <= b["avg_latency_ms"]
        assert b["p50_latency_ms"] <= b["p95_latency_ms"]
        text = gateway.get("/metrics").body.decode()
        assert f'ailb_circuit_state{{model="{model}",provider="a"}} 2.0' in text
        assert f'ailb_time_to_first_token_seconds_count{{model="{model}",provider="b"}} 6.0' in text


def test_what_is_under_way_is_told_and_then_no_more(launch: Launch, upstream: Upstream) -> None:
    go = upstream.flag()
    model = upstream.on(held(go, "late"))
    with launch() as gateway:
        with gateway.client() as client:
            client.post(asked(model, stream=True)).head()
            client.until(b"first")
            assert 1 == stats(gateway)["providers"]["a"]["in_flight"]
            go.set()
            client.until(b"late")
        told = until(gateway, lambda told: told["total_requests"] == 1)
        assert 0 == told["providers"]["a"]["in_flight"]
