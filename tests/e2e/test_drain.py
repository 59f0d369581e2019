"""Providers whose streams are read on after the client left: for the usage, within bounds, and not when the gateway ends."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Launch
from tests.e2e.gateway import PATIENT, Gateway, provider
from tests.e2e.paying import COST, audited, new_key, rows, settled, started, written
from tests.e2e.scripts import stalls
from tests.e2e.upstream import Flag, Script, Talk, Upstream
from tests.e2e.wire import DONE, STOP, TOTAL, asked, token


def held(gate: Flag) -> Script:
    """Says "first", and the rest with its usage after the gate opened."""

    async def script(talk: Talk) -> None:
        await talk.stream(token("first"))
        await gate.reached()
        await talk.end(token("last"), STOP, TOTAL, DONE)

    return script


@pytest.fixture(scope="module")
def draining(launch: Launch, upstream: Upstream) -> Iterator[Gateway]:
    url = f"http://127.0.0.1:{upstream.port}"
    long = provider("long", f"{url}/long/v1", ["x-*"], PATIENT) + "drain = true\n"
    short = provider("short", f"{url}/short/v1", ["y-*"], PATIENT) + "drain = true\ndrain_seconds = 0.3\n"
    with launch(long + short) as gateway:
        yield gateway


def left(gateway: Gateway, model: str, id: str, **headers: str) -> None:
    """A client that leaves after the first token."""
    with gateway.client() as client:
        client.post(asked(model, stream=True), headers={"x-request-id": id, **headers}).head()
        client.until(b"first")


def test_the_usage_is_known_although_the_client_left(draining: Gateway, upstream: Upstream) -> None:
    gate = upstream.flag()
    model = upstream.on(held(gate), kind="x")
    left(draining, model, "drained-usage-")
    call = upstream.call(model)
    assert not call.gone.wait(0.5)
    gate.set()
    (line,) = draining.entries("drained-usage-", 1)
    assert ("disconnected", 2) == (line["outcome"], line["output_tokens"])


def test_it_is_not_read_on_for_ever(draining: Gateway, upstream: Upstream) -> None:
    model = upstream.on(stalls, kind="y")
    left(draining, model, "drained-short-")
    assert upstream.call(model).gone.wait(10)
    (line,) = draining.entries("drained-short-", 1)
    assert ("disconnected", None) == (line["outcome"], line["output_tokens"])


def test_what_was_read_on_costs_what_its_usage_says(engine: str, upstream: Upstream, tmp_path: Path, new_store: Callable[[], str]) -> None:
    file, gate = written(engine, upstream, tmp_path, new_store()), upstream.flag()
    file.write_text(file.read_text().replace('name = "a"\n', 'name = "a"\ndrain = true\n'))
    with started(file) as gateway:
        secret, id = new_key(gateway, monthly_quota_dollars=1)
        model = upstream.on(held(gate), kind="m")
        left(gateway, model, "drained-paid-", authorization=f"Bearer {secret}")
        assert not upstream.call(model).gone.wait(0.5)
        gate.set()
        assert settled(gateway, id)["current_spend"] == COST
        assert [("disconnected", False)] == [(row["status"], row["estimated"]) for row in rows(gateway, id)]
    audited(file)
