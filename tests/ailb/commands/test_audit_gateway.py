from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from email.message import Message
from typing import Any

import orjson
import pytest

from ailb.commands.audit_gateway import TRIES, Asked, compare
from ailb.commands.caller import Caller
from ailb.errors import Unavailable
from ailb.store.audit import Amount
from ailb.store.audit_paid import Paid
from tests.ailb.commands.answering import answering

ANN, BOB = {"openai": Amount(300_000_001, 31, 3)}, {"anthropic": Amount(5, 5, 1)}
BOTH = Paid({"": {**ANN, **BOB}}, {"openai": 300_000_000, "anthropic": 0})
EACH = replace(BOTH, users={"ann": ANN, "bob": BOB})
OPENAI = {"openai": {"spend": 0.300000001, "tokens": 31, "requests": 3}}
ANTHROPIC = {"anthropic": {"spend": 5e-9, "tokens": 5, "requests": 1}}
METRICS = 'ailb_cost_total_usd{model="a",provider="openai"} 0.1\nailb_cost_total_usd{model="b",provider="openai"} 0.2\nother 5\n'


@contextmanager
def gateway(answers: Mapping[str, Any], metrics: str = METRICS, key: str = "") -> Iterator[Asked]:
    """One that answers for each user, "" being everybody."""

    def answer(path: str, headers: Message, body: bytes) -> tuple[int, bytes]:
        told = metrics.encode() if path == "/metrics" else orjson.dumps({"providers": answers.get(path.partition("user_id=")[2], {})})
        return 200 if headers["authorization"] == (f"Bearer {key}" if key else None) else 401, told

    with answering(answer) as address:
        yield Asked(f"http://{address}", key)


def test_a_gateway_with_a_key_is_asked_about_everybody() -> None:
    with gateway({"": {**OPENAI, **ANTHROPIC}}, key="secret") as asked:
        found = compare(lambda: BOTH, asked)
    assert [(2, 0), (2, 0)] == [(check.compared, check.wrong) for check in found]


def test_one_in_local_mode_is_asked_about_each_user() -> None:
    with gateway({"ann": OPENAI, "bob": ANTHROPIC}) as asked:
        found = compare(lambda: EACH, asked)
    assert [(2, 0), (2, 0)] == [(check.compared, check.wrong) for check in found]


def test_differences() -> None:
    with gateway({"ann": OPENAI}, METRICS + 'ailb_cost_total_usd{model="c",provider="openai"} 1e-09\n') as asked:
        billing, metrics = compare(lambda: EACH, asked)
    assert [f"bob at anthropic: {Amount(5, 5, 1)} is not {Amount()}"] == billing.differences
    assert ["since the start at openai: 300000000 is not 300000001"] == metrics.differences


def test_metrics_of_several_processes_are_left_out() -> None:
    with gateway({"ann": OPENAI, "bob": ANTHROPIC}) as asked:
        _, metrics = compare(lambda: replace(EACH, running=None), asked)
    assert 0 == metrics.compared
    assert "left out" in metrics.name


def test_a_busy_gateway_is_asked_again_and_given_up() -> None:
    reads = 0

    def read() -> Paid:
        nonlocal reads
        reads += 1
        return replace(EACH, users={**EACH.users, "eve": {"p": Amount(min(reads, limit))}})

    with gateway({"ann": OPENAI, "bob": ANTHROPIC, "eve": {"p": {"spend": 3e-9, "tokens": 0, "requests": 0}}}) as asked:
        limit = 3
        assert [0, 0] == [check.wrong for check in compare(read, asked)]
        limit = TRIES * 10
        with pytest.raises(Unavailable, match="too busy"):
            compare(read, asked)


def test_a_wrong_key_is_told() -> None:
    with gateway({}, key="secret") as asked:
        asked._gateway = Caller(asked._gateway.where, key="wrong")
        with pytest.raises(Unavailable, match="answers 401; AILB_ADMIN_KEY must be"):
            compare(lambda: EACH, asked)
