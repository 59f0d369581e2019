"""A second target beside a slow one: the client has its answer, the slow one's connection is closed, and both are in the ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ailb.latency import LEAST
from tests.e2e.gateway import Gateway
from tests.e2e.paying import COST, audited, budget, new_key, rows, settled, started, written
from tests.e2e.scripts import hello, says
from tests.e2e.upstream import Talk, Upstream
from tests.e2e.wire import said

HEDGED = '[[model]]\nname = "m-*"\nhedge = true\ntargets = [{ provider = "a" }, { provider = "b" }]\n'


@pytest.fixture(scope="module")
def hedging(engine: str, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    if engine != "hypercorn":
        pytest.skip("which HTTP server stands in front makes no difference here")
    file: Path = written(engine, upstream, tmp_path_factory.mktemp(f"hedging-{engine}"))
    file.write_text(file.read_text() + HEDGED)
    with started(file) as gateway:
        yield gateway
        assert "differences" in audited(file)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_second_wins_and_the_first_is_charged_what_it_said(hedging: Gateway, upstream: Upstream, stream: bool) -> None:
    slow = upstream.flag()

    async def a(talk: Talk) -> None:
        await (talk.hang() if slow.wait(0) else hello(talk))

    model = upstream.on(a, b=says("sec", "ond"))
    secret, id = new_key(hedging, monthly_quota_dollars=10)
    headers = {"authorization": f"Bearer {secret}"}
    for _ in range(LEAST):
        assert hedging.chat(model, stream=stream, headers=headers, max_tokens=2).header("x-ailb-provider") == "a"
    slow.set()
    answer = hedging.chat(model, stream=stream, headers=headers, max_tokens=2)
    assert (200, "b") == (answer.status, answer.header("x-ailb-provider"))
    assert (said(answer.body) if stream else answer.json["choices"][0]["message"]["content"]) == "second"
    (loser,) = [call for call in upstream.calls(model)[LEAST:] if call.path.startswith("/a/")]
    assert loser.gone.wait(5)
    assert len(upstream.calls(model)) == LEAST + 2
    settled(hedging, id)
    one, other = sorted(rows(hedging, id)[LEAST:], key=lambda row: str(row["provider"]))
    assert ("a", "b", one["request_id"]) == (one["provider"], other["provider"], other["request_id"])
    assert (("abandoned", True), ("complete", False)) == ((one["status"], one["estimated"]), (other["status"], other["estimated"]))
    # Whoever makes an answer in one piece makes it to its end, so it costs what was held; the stream had said nothing.
    assert (0.0 if stream else COST, COST) == (one["cost"], other["cost"])
    assert budget(hedging, id)["current_spend"] == pytest.approx((LEAST + 1) * COST + one["cost"])
