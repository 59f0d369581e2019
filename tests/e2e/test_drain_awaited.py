"""Providers whose answers are awaited after the client left: whole ones, and streams that have not begun. The books say what they cost."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.gateway import PATIENT, Gateway, provider
from tests.e2e.paying import ADMIN, COST, audited, new_key, rows, settled, started, written
from tests.e2e.scripts import hello, silent
from tests.e2e.upstream import Call, Flag, Script, Talk, Upstream
from tests.e2e.wire import asked

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def late(gate: Flag) -> Script:
    """Says nothing at all until the gate opened, and then everything."""

    async def script(talk: Talk) -> None:
        await gate.reached()
        await hello(talk)

    return script


def count_once(gateway: Gateway, upstream: Upstream) -> None:
    """The first estimate loads a vocabulary, and where a busy machine takes too long for that it is a rough one."""
    with gateway.client() as client:
        model = upstream.on(silent)
        client.post(asked(model, stream=True), headers={"authorization": f"Bearer {ADMIN}", "x-request-id": "counted-once"})
        upstream.call(model)
    gateway.line_with('"event":"request","id":"counted-once"', 20)


@pytest.fixture(scope="module")
def paid(engine: str, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Reads `x-*` on (and could ask b for it too), `y-*` not for long, `z-*` not by much, and `m-*` not at all. Its books balance."""
    file = written(engine, upstream, tmp_path_factory.mktemp(f"awaited-{engine}"))
    url = f"http://127.0.0.1:{upstream.port}"
    bounds = {"x": "", "y": "drain_seconds = 0.3\n", "z": "drain_bytes = 1024\n"}
    more = [f"{provider(kind, f'{url}/{kind}/v1', [f'{kind}-*'], PATIENT)}drain = true\n{bound}" for kind, bound in bounds.items()]
    file.write_text(file.read_text() + "".join(more) + provider("second", f"{url}/b/v1", ["x-*"], PATIENT))
    with started(file) as gateway:
        count_once(gateway, upstream)
        yield gateway
        assert "differences" in audited(file)


def hung_up(gateway: Gateway, upstream: Upstream, model: str, secret: str, *, stream: bool) -> Call:
    """What the upstream saw of a request whose client left before it got anything."""
    with gateway.client() as client:
        client.post(asked(model, stream=stream, max_tokens=4), headers={"authorization": f"Bearer {secret}"})
        return upstream.call(model)


def charged(gateway: Gateway, id: str) -> tuple[Any, ...]:
    """Cost, tokens and whether they are estimated, in a key's one row, after it was settled."""
    spend = settled(gateway, id)["current_spend"]
    (row,) = rows(gateway, id)
    assert (row["cost"], "disconnected") == (spend, row["status"])
    return row["cost"], row["output"], row["estimated"]


@BOTH
def test_it_is_awaited_and_charged_exactly(paid: Gateway, upstream: Upstream, stream: bool) -> None:
    secret, id = new_key(paid, monthly_quota_dollars=1)
    gate = upstream.flag()
    call = hung_up(paid, upstream, upstream.on(late(gate), kind="x"), secret, stream=stream)
    assert not call.gone.wait(0.5)
    gate.set()
    assert charged(paid, id) == (COST, 2, False)
    assert not call.gone.wait(0)


@BOTH
@pytest.mark.parametrize("kind", ["m", "y"], ids=["not at all", "not for long"])
def test_one_that_is_not_awaited_costs_what_was_held(paid: Gateway, upstream: Upstream, kind: str, stream: bool) -> None:
    secret, id = new_key(paid, monthly_quota_dollars=1)
    call = hung_up(paid, upstream, upstream.on(silent, kind=kind), secret, stream=stream)
    assert call.gone.wait(10)
    assert charged(paid, id) == ((0, 0, True) if stream else (2 * COST, 4, True))


def test_a_long_one_is_left_after_so_many_bytes(paid: Gateway, upstream: Upstream) -> None:
    gate = upstream.flag()

    async def long(talk: Talk) -> None:
        await gate.reached()
        await talk.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n" + b" " * 2000)
        await talk.hang()

    secret, id = new_key(paid, monthly_quota_dollars=1)
    call = hung_up(paid, upstream, upstream.on(long, kind="z"), secret, stream=False)
    assert not call.gone.wait(0.5)
    gate.set()
    assert call.gone.wait(10)
    assert charged(paid, id) == (2 * COST, 4, True)


@BOTH
def test_when_it_fails_nobody_else_is_asked(paid: Gateway, upstream: Upstream, stream: bool) -> None:
    gate = upstream.flag()

    async def fails(talk: Talk) -> None:
        await gate.reached()
        await talk.answer(b"{}", 500)

    secret, id = new_key(paid, monthly_quota_dollars=1)
    model = upstream.on(fails, hello, kind="x")
    call = hung_up(paid, upstream, model, secret, stream=stream)
    assert not call.gone.wait(0.3)
    gate.set()
    assert settled(paid, id)["current_spend"] == 0
    assert [("/x/v1/chat/completions", 0)] == [
        (call.path, row["cost"]) for call, row in zip(upstream.calls(model), rows(paid, id), strict=True)
    ]


def test_a_gateway_that_ends_leaves_it(engine: str, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = written(engine, upstream, tmp_path_factory.mktemp("ending"), drain_seconds=0.3)
    file.write_text(file.read_text().replace('name = "a"\n', 'name = "a"\ndrain = true\n'))
    with started(file) as gateway:
        secret, id = new_key(gateway, monthly_quota_dollars=1)
        call = hung_up(gateway, upstream, upstream.on(silent), secret, stream=False)
        assert not call.gone.wait(0.3)
        assert gateway.stop() == 0
        assert call.gone.wait(10)
    audited(file)
    with started(file) as gateway:
        assert charged(gateway, id) == (2 * COST, 4, True)
