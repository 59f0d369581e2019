import tracemalloc
from typing import Any

import orjson
import pytest

from ailb.dialect import Target
from ailb.errors import BudgetExceeded, Refusal, UpstreamRefusal, UpstreamSilent
from ailb.exchange import Attempt, Exchange, Outcome
from ailb.keys import Key
from ailb.money import NANO
from ailb.records import LATER_BYTES, MOST_WORD, Record, Records, recorded, word
from ailb.testing import TARGET, ask
from ailb.usage import Usage

SECRET = "my prompt says 4711"


def ids(records: Records, *names: str) -> list[str]:
    return [name for name in names if records.find(name) is not None]


def test_the_newest_are_kept() -> None:
    records = Records()
    for number in range(5):
        records.put("ann", str(number), Record(b"{}", {}), keep=3)
    assert ["2", "3", "4"] == ids(records, *"01234")
    records.put("ann", "5", Record(b"{}", {}), keep=1)
    assert ["5"] == ids(records, *"012345")


def test_they_are_bounded_in_bytes() -> None:
    records = Records(most_bytes=100)
    for number in range(9):
        records.put("ann", str(number), Record(b"x" * 30, {}), keep=1000)
    assert ["6", "7", "8"] == ids(records, *"012345678")
    records.put("ann", "large", Record(b"x" * 101, {}), keep=1000)
    assert [] == ids(records, *"012345678", "large")
    records.put("ann", "small", Record(b"x", {}), keep=1000)
    assert ["small"] == ids(records, "small")


def test_nobody_gets_what_is_somebody_elses_whatever_id_he_chooses() -> None:
    records = Records()
    records.put("ann", "a", Record(b"ann's", {}), keep=10)
    assert (b"ann's", b"ann's", None) == (records.find("a", "ann"), records.find("a"), records.find("a", "bob"))
    records.put("bob", "a", Record(b"bob's", {}), keep=10)
    assert (b"ann's", b"bob's", b"bob's") == (records.find("a", "ann"), records.find("a", "bob"), records.find("a"))


def test_one_of_the_same_id_takes_the_others_place() -> None:
    records = Records(most_bytes=10)
    for _ in range(5):
        records.put("ann", "a", Record(b"12345", {}), keep=2)
    records.put("ann", "b", Record(b"67890", {}), keep=2)
    assert (b"12345", b"67890") == (records.find("a"), records.find("b"))


def of(exchange: Exchange, outcome: Outcome | None = None, **more: Any) -> Any:
    return orjson.loads(recorded(exchange, outcome, at=1_768_473_000.25, **more).json())


def paid() -> Exchange:
    """Two attempts, of which one answered."""
    exchange = ask(SECRET, stream=True, session_id="s-1", model="fast")
    exchange.caller.user, exchange.caller.key = "ann", Key("key-1", "ann")
    exchange.target = TARGET
    failed = Attempt(Target("down", "m"), exchange.prompt, 0.001, 1, status=500, error=SECRET, ended=0.02, cost=0)
    failed.failure = UpstreamRefusal(500, SECRET, code="overloaded")
    exchange.attempts = [failed, Attempt(TARGET, exchange.prompt, 0.0213, 2, status=200, first_event=0.3, cost=NANO // 4)]
    exchange.cost = NANO // 4
    exchange.record = {"strategy": "failover", "holds": [{"attempt": 2, "rates": {"input": 2.5}}]}
    exchange.notes["resent"] = True
    return exchange


def test_a_record_says_who_asked_what_and_what_became_of_it() -> None:
    made = of(paid(), Outcome("complete", 200, 1.5, usage=Usage(7, 5, 2), first_event=0.31))
    usage = made.pop("usage")
    assert (7, 5, 2) == (usage["input"], usage["output"], usage["cached"])
    first, second = made.pop("attempts")
    assert {
        "id": "req_test",
        "at": "2026-01-15T10:30:00.250000+00:00",
        "caller": {"user": "ann", "key_id": "key-1"},
        "path": "/v1/chat/completions",
        "asked": "fast",
        "stream": True,
        "session_id": "s-1",
        "target": "fake/fake-model",
        "outcome": "complete",
        "status": 200,
        "error": None,
        "latency_ms": 1500.0,
        "first_event_ms": 310.0,
        "strategy": "failover",
        "holds": [{"attempt": 2, "rates": {"input": 2.5}}],
        "cost": {
            "usd": 0.25,
            "estimated": False,
            "lines": [
                {"attempt": 1, "provider": "down", "model": "m", "usd": 0.0, "rates": None},
                {"attempt": 2, "provider": "fake", "model": "fake-model", "usd": 0.25, "rates": {"input": 2.5}},
            ],
        },
        "notes": {"resent": True},
    } == made
    assert (1, "down", 1.0, None, 20.0, 500, "overloaded") == tuple(
        first[name] for name in ("number", "provider", "started_ms", "first_event_ms", "ended_ms", "status", "error")
    )
    assert (2, 21.3, 300.0, None, 200, None) == tuple(
        second[name] for name in ("number", "started_ms", "first_event_ms", "ended_ms", "status", "error")
    )


def test_no_word_of_the_prompt_or_of_an_upstream_is_in_it() -> None:
    exchange = paid()
    exchange.attempts[1].failure = UpstreamRefusal(400, SECRET, type="odd", extra={"failed_generation": SECRET})
    outcome = Outcome("refused", 400, 1.5, refusal=exchange.attempts[1].failure)
    assert b"4711" not in recorded(exchange, outcome, at=0.0).json()
    assert "odd" == of(exchange, outcome)["error"]


def test_what_was_only_explained_has_come_to_nothing() -> None:
    made = of(ask(), None, would="refuse")
    assert {None} == {made[name] for name in ("outcome", "status", "error", "latency_ms", "first_event_ms", "usage", "cost", "target")}
    assert ("refuse", []) == (made["would"], made["attempts"])


def test_an_attempt_that_nobody_waited_for_says_so_and_so_does_a_cost_that_was_estimated() -> None:
    exchange = paid()
    exchange.attempts[0].abandoned = exchange.notes["cost_estimated"] = True
    made = of(exchange)
    assert ("abandoned", True) == (made["attempts"][0]["error"], made["cost"]["estimated"])


def test_what_a_layer_would_rather_make_later_is_made_when_somebody_asks() -> None:
    exchange, records, asked = ask(), Records(), []

    def candidates() -> Any:
        asked.append(1)
        return [{"provider": "a"}]

    exchange.record = {"strategy": "failover", "candidates": candidates}
    record = recorded(exchange, None, at=0.0)
    records.put("ann", "a", record, keep=1)
    assert (len(record.made) + LATER_BYTES, []) == (record.size, asked)
    for times in (1, 2):
        made = orjson.loads(records.find("a") or b"")
        assert ([{"provider": "a"}], "failover", "req_test", times) == (made["candidates"], made["strategy"], made["id"], len(asked))


def test_a_record_takes_what_it_says_that_it_takes() -> None:
    exchange = paid()
    recorded(exchange, None, at=0.0)  # what is made once only does not count
    tracemalloc.start()
    try:
        kept = [recorded(exchange, None, at=float(number)) for number in range(100)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1.0 < taken / sum(record.size for record in kept) < 1.5


def test_numbers_may_be_large() -> None:
    assert b'"more":%d' % (1 << 80) in recorded(ask(), None, at=0.0, more=1 << 80).json()


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (None, None),
        (BudgetExceeded(), "budget_exceeded"),
        (UpstreamSilent("refused"), "upstream_unreachable"),
        (UpstreamRefusal(429, "slow down", code=17), "rate_limit_error"),
        (UpstreamRefusal(500, "no", code="x" * 1000), "x" * MOST_WORD),
    ],
)
def test_an_error_is_a_word(refusal: Refusal | None, said: str | None) -> None:
    assert said == word(refusal)
