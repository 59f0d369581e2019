"""Every ending is in test_budget.py; here is what only this module knows."""

import pytest

from ailb.errors import BadRequest, Refusal, UpstreamBroken, UpstreamRefusal, UpstreamSilent
from ailb.exchange import Attempt
from ailb.ledger import Hold, Intent, Standing
from ailb.testing import TARGET, ask
from ailb.testing_money import NANO_RATES, WordCounter
from ailb.tokens import bound
from ailb.usage import Usage
from middleware.budget_bill import NOTHING, Bill, Open, Rough, error, estimated, kept, known
from tests.middleware.paying import chunks

INTENT = Intent("req", 1, "ann", None, "a", "m", "m", NANO_RATES, prompt_tokens=100, output_tokens=50, choices=2)
HOLD = Hold("h", INTENT, 180, 180, 40)


def opened(hold: Hold = HOLD, *, stream: bool = True, failure: Refusal | None = None) -> Open:
    prompt = ask("one two three", stream=stream).prompt
    return Open(Attempt(TARGET, prompt, 0.0, failure=failure), hold, prompt)


def test_a_hold_that_is_kept_is_its_worst_case() -> None:
    assert Bill(Usage(100, 80), 260, estimated=True) == kept(HOLD)
    assert 0 == kept(Hold("h", INTENT._replace(rates=None), 0, 180, 40)).nanos


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("Hi", 1), ("four", 2), ("日本", 2), ("\ud800", 1)])
async def test_a_rough_count(text: str, tokens: int) -> None:
    prompt = ask("Hi").prompt
    assert (tokens, bound(prompt)) == (await Rough().count(text), await Rough().count_prompt(prompt))


def test_what_was_never_asked_costs_nothing() -> None:
    assert NOTHING == known(opened(), asked=False)


async def test_what_was_reported_on_the_way_counts_for_a_stream_that_was_cut() -> None:
    open = opened()
    for event in (*chunks("Hi", usage=Usage(30, 4, 10, 5, 2)), *chunks("there ", "you", usage=None)[:2]):
        open.seen.take(event)
    assert known(open, asked=True) is None
    assert Bill(Usage(30, 5, 10, 5, 2), 40, estimated=True) == await estimated(open, WordCounter())


@pytest.mark.parametrize(
    ("standings", "expected"),
    [
        ((Standing("b", "key", 5, None, False),), Bill(Usage(2, 1), 4, estimated=True)),
        ((Standing("b", "key", None, 5, False),), Bill(Usage(2, 1), 4, estimated=True)),
        ((), Bill(Usage(2, 50), 102, estimated=True)),
    ],
)
async def test_within_a_budget_an_estimate_is_never_more_than_what_was_held(standings: tuple[Standing, ...], expected: Bill) -> None:
    open = opened(Hold("h", INTENT._replace(prompt_tokens=2, choices=1), 4, 3, 1, standings))
    for event in chunks(*["word "] * 50, usage=None):
        open.seen.take(event)
    assert expected == await estimated(open, WordCounter())


def test_a_usage_may_be_more_than_what_was_held_and_counts() -> None:
    open = opened()
    for event in chunks("Hi", usage=Usage(1000, 1000)):
        open.seen.take(event)
    assert Bill(Usage(1000, 1000), 3000) == known(open, asked=True)


@pytest.mark.parametrize(("stream", "expected"), [(True, Bill(Usage(3, 0), 3, estimated=True)), (False, kept(HOLD))])
async def test_an_answer_that_nobody_saw(stream: bool, expected: Bill) -> None:
    open = opened(stream=stream)
    assert expected == (known(open, asked=True) or await estimated(open, WordCounter()))


@pytest.mark.parametrize(
    ("refusal", "word"),
    [
        (None, None),
        (UpstreamBroken("quoting the prompt"), "upstream_broken"),
        (UpstreamSilent("x"), "upstream_unreachable"),
        (UpstreamRefusal(429, "quoting the prompt", code="rate_limit_exceeded"), "rate_limit_exceeded"),
        (UpstreamRefusal(500, "x", code=1234), "server_error"),
        (UpstreamRefusal(400, "x", code="c" * 100), "c" * 64),
        (BadRequest("quoting"), "invalid_request_error"),
    ],
)
def test_an_error_is_a_word(refusal: Refusal | None, word: str | None) -> None:
    assert word == error(refusal)
