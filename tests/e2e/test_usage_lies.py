"""Providers that report tokens which cannot be: the answer is charged all the same, never credited, and the books balance."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ailb.usage import MOST
from tests.e2e.gateway import Gateway
from tests.e2e.paying import audited, new_key, rows, settled, started, written
from tests.e2e.upstream import Script, Talk, Upstream
from tests.e2e.wire import DONE, STOP, completion, data, delta, error_of, token

LIES: Mapping[str, Any] = {
    "negative": {"prompt_tokens": 3, "completion_tokens": -5, "total_tokens": -2},
    "all negative": {"prompt_tokens": -3, "completion_tokens": -5, "total_tokens": -8},
    "strings": {"prompt_tokens": "3", "completion_tokens": "2", "total_tokens": "5"},
    "null": {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None},
    "true": {"prompt_tokens": True, "completion_tokens": True},
    "lists": {"prompt_tokens": [3], "completion_tokens": [2]},
    "no usage at all": None,
    "not an object": "5 tokens",
    "empty": {},
    "negative parts": {"prompt_tokens": 3, "completion_tokens": 0, "completion_tokens_details": {"reasoning_tokens": -9}},
}
"""None of them says how much it was, so it is counted: "hello" is one token."""


@pytest.fixture(scope="module")
def paid(engine: str, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    if engine != "hypercorn":
        pytest.skip("which HTTP server stands in front makes no difference here")
    file: Path = written(engine, upstream, tmp_path_factory.mktemp(f"lies-{engine}"))
    with started(file) as gateway:
        yield gateway
        assert "differences" in audited(file)


def claims(usage: Any) -> Script:
    async def script(talk: Talk) -> None:
        if talk.call.json.get("stream"):
            await talk.end(token("he"), token("llo"), STOP, data({**delta(""), "choices": [], "usage": usage}), DONE)
        else:
            await talk.answer({**completion("hello"), "usage": usage})

    return script


def charged(gateway: Gateway, model: str, stream: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The budget and the one row, of a key with a dollar that had a good answer."""
    secret, id = new_key(gateway, monthly_quota_dollars=1)
    answer = gateway.chat(model, stream=stream, headers={"authorization": f"Bearer {secret}"}, max_tokens=9)
    assert answer.status == 200
    standing = settled(gateway, id)
    (row,) = rows(gateway, id)
    return standing, row


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("usage", LIES.values(), ids=LIES.keys())
def test_what_cannot_be_is_counted(paid: Gateway, upstream: Upstream, usage: Any, stream: bool) -> None:
    standing, row = charged(paid, upstream.on(claims(usage)), stream)
    assert (True, 1, "complete") == (row["estimated"], row["output"], row["status"])
    assert (0.001, 0.001, "healthy") == (row["cost"], standing["current_spend"], standing["status"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("said", "tokens"), [(2, 2), (2.9, 2), (10**12, MOST), (1e300, MOST)])
def test_a_number_is_believed_up_to_a_bound(paid: Gateway, upstream: Upstream, said: Any, tokens: int, stream: bool) -> None:
    """It will be on the provider's bill too. The key gets no further, and the books balance."""
    standing, row = charged(paid, upstream.on(claims({"prompt_tokens": 3, "completion_tokens": said})), stream)
    assert (False, tokens, tokens / 1000) == (row["estimated"], row["output"], row["cost"])
    assert (tokens / 1000, "exceeded" if tokens == MOST else "healthy") == (standing["current_spend"], standing["status"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_number_that_none_can_hold_breaks_the_answer(paid: Gateway, upstream: Upstream, stream: bool) -> None:
    """Its JSON is not read at all. What was heard of it is charged, and its prompt, which is free here."""
    secret, id = new_key(paid, monthly_quota_dollars=1)
    model, headers = upstream.on(claims({"completion_tokens": 10**400})), {"authorization": f"Bearer {secret}"}
    answer = paid.chat(f"a/{model}", stream=stream, headers=headers, max_tokens=9)
    assert answer.status == 200 and error_of(answer.body) if stream else answer.status == 502
    (standing, (row,)) = settled(paid, id), rows(paid, id)
    assert (0.001 if stream else 0.0, "broken" if stream else "failed", True) == (
        standing["current_spend"],
        row["status"],
        row["estimated"],
    )
    assert row["input"] > 0
