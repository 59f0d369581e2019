from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.money import NANO
from ailb.rates import FREE, LIKE, PER, Rates
from ailb.usage import MOST, Usage

DOLLAR = NANO
RATE = st.integers(0, 200 * NANO) | st.sampled_from([0, 1, PER - 1, PER, PER + 1])
OWN = RATE | st.just(LIKE)
TOKENS = st.integers(0, 3_000_000) | st.sampled_from([0, 1, 199_999, 200_000, 200_001, MOST])
FLAT = st.builds(Rates, RATE, RATE, OWN, OWN, OWN, OWN, OWN, OWN, st.integers(0, NANO))


@st.composite
def tiered(draw: st.DrawFn) -> Rates:
    thresholds = sorted(draw(st.sets(st.integers(1, 1_000_000), max_size=3)))
    return replace(draw(FLAT), tiers=tuple((threshold, draw(FLAT)) for threshold in thresholds))


RATES = tiered()
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS)


@given(RATES, TOKENS, TOKENS, st.floats(0, 1))
def test_text_costs_what_its_tokens_do(rates: Rates, input: int, output: int, share: float) -> None:
    cached, at = int(input * share), rates.at(input)
    expected = ceil(Fraction((input - cached) * at.input + cached * at.cache_read + output * at.output, PER)) + at.request
    assert [expected] * 2 == [rates.text(input, output, cached), rates.cost(Usage(input, output, cached=cached))]


@given(RATES, USAGES)
def test_where_all_kinds_cost_the_same_it_does_not_matter_what_they_are(rates: Rates, usage: Usage) -> None:
    same = Rates(rates.input, rates.output, request=rates.request)
    assert same.text(usage.input, usage.output) == same.cost(usage)


def test_rates_without_a_price_of_their_own_are_like_the_one_that_they_are_a_kind_of() -> None:
    rates = Rates(3, 15)
    assert rates == Rates(3, 15, cache_read=3, cache_write=3, cache_write_1h=3, audio_input=3, reasoning=15, audio_output=15)
    assert Rates(3, 15, cache_write=4).cache_write_1h == 4
    assert Rates(3, 15, cache_read=0).cache_read == 0


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(), 7),
        (Usage(1_000_000), 100 + 7),
        (Usage(1_000_000, cached=400_000), 60 + 4 + 7),
        (Usage(1_000_000, cached=400_000, cache_written=100_000), 50 + 4 + 20 + 7),
        (Usage(1_000_000, cache_written=200_000, cache_written_1h=100_000), 80 + 20 + 30 + 7),
        (Usage(1_000_000, audio_input=500_000), 50 + 200 + 7),
        (Usage(1_000_000, cached=800_000, audio_input=500_000), 8 + 80 + 7),
        (Usage(0, 1_000_000), 500 + 7),
        (Usage(0, 1_000_000, reasoning=600_000), 200 + 360 + 7),
        (Usage(0, 1_000_000, audio_output=500_000), 250 + 500 + 7),
        (Usage(0, 1_000_000, reasoning=800_000, audio_output=500_000), 480 + 200 + 7),
        (Usage(1), 1 + 7),  # a ten-thousandth of a nano-dollar is one
        (Usage(5_000, 1_000), 1 + 7),  # rounded once: half and half are one
        (Usage(10_000, 1), 2 + 7),
        (Usage(2_000_000, 1_000_000), 400 + 900 + 8),
        (Usage(2_000_001), 1001 + 9),
    ],
)
def test_the_cost_of_a_usage(usage: Usage, expected: int) -> None:
    high = ((1_500_000, Rates(200, 900, request=8)), (2_000_000, Rates(500, 900, request=9)))
    rates = Rates(100, 500, 10, 200, 300, 400, 600, 1000, request=7, tiers=high)
    assert expected == rates.cost(usage)


def test_a_tier_is_for_the_whole_request_and_begins_behind_its_threshold() -> None:
    rates = Rates(3 * DOLLAR, 15 * DOLLAR, tiers=((200_000, Rates(6 * DOLLAR, 22_500_000_000)),))
    assert rates.cost(Usage(200_000, 1000)) == 600_000_000 + 15_000_000
    assert rates.cost(Usage(200_001, 1000)) == 1_200_006_000 + 22_500_000


def test_free_is_free() -> None:
    assert (FREE.cost(Usage(MOST, MOST)), FREE.worst(MOST, MOST), FREE.affords(0, MOST)) == (0, 0, MOST)


@given(RATES, USAGES, TOKENS, TOKENS)
def test_no_usage_costs_more_than_the_worst(rates: Rates, usage: Usage, more_input: int, more_output: int) -> None:
    assert (
        0
        <= rates.cost(usage)
        <= rates.worst(usage.input, usage.output)
        <= rates.worst(usage.input + more_input, usage.output + more_output)
    )


@given(RATES, st.integers(0, 1000 * NANO), TOKENS)
def test_what_money_affords_is_the_most_that_it_affords(rates: Rates, money: int, prompt: int) -> None:
    tokens = rates.affords(money, prompt)
    if tokens < 0:
        assert rates.worst(prompt, 0) > money
        return
    assert rates.worst(prompt, tokens) <= money
    assert tokens == MOST or rates.worst(prompt, tokens + 1) > money


@given(RATES, st.integers(0, 1000 * NANO), st.integers(0, NANO), TOKENS)
def test_more_money_never_affords_less(rates: Rates, money: int, more: int, prompt: int) -> None:
    assert rates.affords(money, prompt) <= rates.affords(money + more, prompt)


@given(FLAT, USAGES)
def test_a_cost_is_the_exact_sum_rounded_up(rates: Rates, usage: Usage) -> None:
    parts = [
        (usage.cached, rates.cache_read),
        (usage.cache_written - usage.cache_written_1h, rates.cache_write),
        (usage.cache_written_1h, rates.cache_write_1h),
        (usage.reasoning, rates.reasoning),
    ]
    fresh = usage.input - usage.cached - usage.cache_written
    parts += [(min(usage.audio_input, fresh), rates.audio_input), (max(fresh - usage.audio_input, 0), rates.input)]
    said = usage.output - usage.reasoning
    parts += [(min(usage.audio_output, said), rates.audio_output), (max(said - usage.audio_output, 0), rates.output)]
    exact = sum(tokens * rate for tokens, rate in parts)
    assert 0 <= (rates.cost(usage) - rates.request) * PER - exact < PER


@given(RATES)
def test_rates_read_back_from_the_ledger(rates: Rates) -> None:
    assert rates == Rates.of_json(rates.json())


def test_rates_are_short_in_the_ledger() -> None:
    assert FREE.json() == '{"input":0}'
    assert Rates(3, 15, 1, tiers=((9, Rates(6)),)).json() == '{"input":3,"output":15,"cache_read":1,"tiers":[[9,{"input":6}]]}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "7",
        '"x"',
        '{"imput":3}',
        '{"tiers":3}',
        '{"input":-1}',
        '{"input":1.5}',
        '{"input":"1"}',
        '{"tiers":[3]}',
        '{"tiers":[[1,2]]}',
    ],
)
def test_what_is_no_rates_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="are no rates"):
        Rates.of_json(text)


@given(RATES, USAGES)
def test_half_the_price_is_half_the_cost(rates: Rates, usage: Usage) -> None:
    half = rates.times(1, 2)
    assert half.cost(usage) <= rates.cost(usage) <= 2 * half.cost(usage)
    assert rates.times(1, 1) == rates
