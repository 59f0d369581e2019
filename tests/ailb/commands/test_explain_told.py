from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from ailb.commands.explain_told import _dollars, tell

CANDIDATES = [
    {"provider": "a", "model": "m", "score": 1.25, "cost_usd": 0.0000015, "kept": True, "reason": ""},
    {"provider": "b", "model": "m", "score": None, "cost_usd": None, "kept": False, "reason": "cannot do tools", "credential": 2},
]
BUDGET = {"id": "bud_1", "scope": "key", "left_usd": 3.5, "left_tokens": 1000, "warning": True, "refuses": False}
HOLD = {
    "attempt": 1,
    "provider": "a",
    "model": "m",
    "prompt_tokens": 1234,
    "output_tokens": 500,
    "choices": 2,
    "worst_usd": 0.25,
    "capped": True,
    "refused": None,
    "rates": None,
    "budgets": [BUDGET],
}


def told(**more: Any) -> list[str]:
    record = {
        "id": "req_1",
        "caller": {"user": "ann", "key_id": None},
        "asked": "fast",
        "stream": False,
        "would": "ask a/m",
        "refusal": None,
        **more,
    }
    out = StringIO()
    tell(record, Console(file=out, width=200, markup=False, highlight=False))
    return [" ".join(line.strip("│┃ ").split()).replace("│", "|") for line in out.getvalue().splitlines()]


def test_a_request_without_anything_special_is_two_lines() -> None:
    assert ["would ask a/m", "for ann, who asks for fast"] == told()
    assert (
        "for ann, with the key key-1, who asks for no model, streamed"
        == told(caller={"user": "ann", "key_id": "key-1"}, asked="", stream=True)[1]
    )


def test_a_refusal_says_why() -> None:
    refusal = {"status_code": 402, "detail": "Budget exceeded."}
    assert ["would refuse", "because 402: Budget exceeded."] == told(would="refuse", refusal=refusal)[:2]


def test_targets_have_scores_prices_and_reasons() -> None:
    lines = told(candidates=CANDIDATES, strategy="failover")
    assert "targets, failover" in lines
    assert "a/m | 1.25 | $0.0000015 | kept" in lines
    assert "b/m (key 2) | | unknown | dropped | cannot do tools" in lines


def test_documents_have_numbers_and_scores() -> None:
    source = {"number": 1, "id": "c", "document": "d1", "title": "", "source": "notes.txt", "score": 0.51234, "characters": 1200}
    rag = {"collection": "docs", "outcome": "found", "ms": 12.3, "characters": 1700, "sources": [source]}
    lines = told(rag=rag)
    assert "documents of docs: found in 12 ms, 1,700 characters" in lines
    assert "[1] | d1 | notes.txt | 0.5123 | 1,200" in lines
    lines = told(rag={**rag, "outcome": "timeout", "characters": 0, "sources": []})
    assert "documents of docs: timeout in 12 ms, 0 characters" == lines[-1]


def test_limits_say_what_is_left() -> None:
    limits = [
        {"kind": "requests", "limit": 6000, "left": 12, "takes": 1, "resets_seconds": 59.6},
        {"kind": "parallel", "limit": 4, "left": None, "takes": 1, "resets_seconds": None},
    ]
    lines = told(limits=limits)
    assert "requests | 6,000 | 12 | 1 | 60 s" in lines
    assert "parallel | 4 | | 1" in lines


def test_holds_and_budgets_say_what_it_comes_to() -> None:
    lines = told(holds=[HOLD])
    assert "a/m | at most 1,234 tokens | at most 2 times 500 tokens | $0.25 | the answer is capped" in lines
    assert "a/m | bud_1 | key | $3.50, 1,000 tokens | warns" in lines
    refused = {**HOLD, "refused": "budget_exceeded", "worst_usd": None, "budgets": [{**BUDGET, "left_usd": None, "refuses": True}]}
    lines = told(holds=[refused])
    assert "a/m | at most 1,234 tokens | at most 2 times 500 tokens | unknown | budget_exceeded" in lines
    assert "a/m | bud_1 | key | 1,000 tokens | refuses" in lines


def test_what_other_layers_say_stands_below() -> None:
    assert "curfew: {'until': 6}" == told(curfew={"until": 6})[-1]


@pytest.mark.parametrize(
    ("amount", "said"), [(0, "$0.00"), (1.5, "$1.50"), (0.023, "$0.023"), (1e-9, "$0.000000001"), (12345.67, "$12,345.67"), (None, "-")]
)
def test_dollars_are_exact_and_never_short(amount: float | None, said: str) -> None:
    assert said == _dollars(amount, "-")


def test_what_is_remembered_is_counted() -> None:
    memory = {"session": "s", "recent": 2, "recent_tokens": 1200, "recalled": 1, "recalled_tokens": 30, "summary": True}
    assert "conversation s: the last 2 turns (1,200 tokens), 1 older (30 tokens), a summary" in told(memory=memory)
    assert "conversation s: not to be had" in told(memory={"session": "s", "unavailable": True})
