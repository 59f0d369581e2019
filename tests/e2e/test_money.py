"""Budgets and the ledger on a real gateway (FAULTS A1, A3, A8, A11, A12, A17): what was spent, whatever happens to whom."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.paying import COST, audited, bursts, new_key, rows, settled, started, written
from tests.e2e.raw import Client
from tests.e2e.scripts import fails, held, hello, silent
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked, error_of, said


@pytest.fixture
def file(engine: str, upstream: Upstream, tmp_path: Path, new_store: Callable[[], str]) -> Path:
    return written(engine, upstream, tmp_path, new_store())


@pytest.fixture(scope="module")
def paid(engine: str, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[], str]) -> Iterator[Gateway]:
    """One for all tests that leave it as it was. When they are done, its books balance."""
    file = written(engine, upstream, tmp_path_factory.mktemp(f"paid-{engine}"), new_store())
    with started(file) as gateway:
        yield gateway
        assert "differences" in audited(file)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_budget_for_a_hundred_lets_exactly_a_hundred_through(paid: Gateway, upstream: Upstream, stream: bool) -> None:
    secret, id = new_key(paid, monthly_quota_dollars=100 * COST)
    model = upstream.on(hello)
    assert bursts(paid, model, secret, 167, 167, 166, stream=stream) == {"200": 100, "402": 400}
    assert len(upstream.calls(model)) == 100
    standing = settled(paid, id)
    assert (standing["current_spend"], standing["remaining_budget"], standing["status"]) == (100 * COST, 0, "exceeded")


def test_what_is_left_clamps_the_answer_before_it_refuses_the_prompt(paid: Gateway, upstream: Upstream) -> None:
    secret, _ = new_key(paid, monthly_quota_dollars=0.005)
    model = upstream.on(hello)
    headers = {"authorization": f"Bearer {secret}"}
    first = paid.chat(model, headers=headers, max_tokens=1000)
    assert (first.status, first.header("x-ailb-max-tokens-clamped"), first.header("x-ailb-cost-usd")) == (200, "5", "0.002")
    assert upstream.call(model).json["max_tokens"] == 5


def test_a_refused_request_says_what_the_guide_says(paid: Gateway, upstream: Upstream) -> None:
    secret, _ = new_key(paid, monthly_quota_dollars=0)
    answer = paid.chat(upstream.on(hello), headers={"authorization": f"Bearer {secret}"})
    assert (answer.status, answer.header("x-should-retry")) == (402, "false")
    assert answer.json["detail"] == "Budget exceeded. Request would exceed spending limit."


def test_every_attempt_has_its_row(paid: Gateway, upstream: Upstream) -> None:
    secret, id = new_key(paid, monthly_quota_dollars=1)
    answer = paid.chat(upstream.on(fails(500), b=hello), headers={"authorization": f"Bearer {secret}"}, max_tokens=2)
    assert (answer.status, answer.header("x-ailb-provider")) == (200, "b")
    assert settled(paid, id)["current_spend"] == COST
    assert [(row["provider"], row["status"], row["cost"]) for row in rows(paid, id)] == [("a", "failed", 0), ("b", "complete", COST)]


def test_a_stream_that_was_hung_up_costs_what_was_seen_of_it(paid: Gateway, upstream: Upstream) -> None:
    secret, id = new_key(paid, monthly_quota_dollars=1)
    model = upstream.on(held(upstream.flag(), "never"))
    with paid.client() as client:
        client.post(asked(model, stream=True, max_tokens=100), headers={"authorization": f"Bearer {secret}"}).head()
        client.until(b"first")
    assert upstream.call(model).gone.wait(10)
    assert 0 < settled(paid, id)["current_spend"] <= 3 * COST
    (row,) = rows(paid, id)
    assert (row["status"], row["estimated"]) == ("disconnected", True)


def test_a_stream_says_what_it_cost_to_who_asked_for_the_usage(paid: Gateway, upstream: Upstream) -> None:
    secret, _ = new_key(paid)
    answer = paid.chat(
        upstream.on(hello), stream=True, headers={"authorization": f"Bearer {secret}"}, stream_options={"include_usage": True}
    )
    assert said(answer.body) == "hello"
    assert b'"cost":0.002' in answer.body.replace(b" ", b"")


def test_kill_9_loses_nothing(file: Path, upstream: Upstream) -> None:
    with started(file) as gateway:
        secret, id = new_key(gateway, monthly_quota_dollars=10)
        headers = {"authorization": f"Bearer {secret}"}
        for _ in range(10):
            assert gateway.chat(upstream.on(hello), headers=headers, max_tokens=2).status == 200
        settled(gateway, id)
        model = upstream.on(silent)
        clients = [gateway.client().post(asked(model, max_tokens=4), headers=headers) for _ in range(5)]
        upstream.call(model, 5)
        gateway.kill()
        for client in clients:
            client.close()
    with started(file) as gateway:
        standing = settled(gateway, id)
        assert standing["current_spend"] == pytest.approx(10 * COST + 5 * 4 * 0.001)
        found = rows(gateway, id)
        assert Counter((row["status"], row["estimated"]) for row in found) == {("complete", False): 10, ("broken", True): 5}
    audited(file)


def test_sigterm_settles_what_is_open(file: Path, upstream: Upstream) -> None:
    with started(file) as gateway, ExitStack() as leaving:
        secret, id = new_key(gateway, monthly_quota_dollars=10)
        model = upstream.on(held(upstream.flag(), "never"))

        def begun() -> Client:
            client = gateway.client().post(asked(model, stream=True, max_tokens=50), headers={"authorization": f"Bearer {secret}"})
            client.head()
            client.until(b"first")
            return client

        begun().close()
        settled(gateway, id)  # the vocabulary is loaded, for which there may be no time at the end
        clients = [leaving.enter_context(begun()) for _ in range(50)]
        assert gateway.stop() == 0
        for client in clients:
            b"".join(client.chunks())
            assert error_of(client.read) is not None
    audited(file)
    with started(file) as gateway:
        found = rows(gateway, id)
        assert [True] * 51 == [row["cost"] > 0 for row in found]
        assert {"disconnected": 1, "broken": 50} == Counter(row["status"] for row in found)
