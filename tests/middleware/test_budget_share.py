import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.ledger import Hold, Intent, Standing
from ailb.rates import Rates
from ailb.testing_money import NANO_RATES
from middleware.budget_share import LEAST, MOST_KEPT, Shares


def intent(key: str = "key-1", *, choices: int = 1, rates: Rates | None = NANO_RATES) -> Intent:
    return Intent("req", 1, "ann", key, "a", "m", "m", rates, prompt_tokens=1000, output_tokens=0, choices=choices)


def seen(intent: Intent, nanos: int | None, tokens: int | None = None) -> Hold:
    return Hold("h", intent, 0, 0, 0, (Standing("b", "key", nanos, tokens, False), Standing("g", "global", None, None, False)))


@pytest.mark.parametrize(("known", "most"), [(None, 5000), (3000, 3000), (200_000, 5000)])
@pytest.mark.parametrize("unlimited", [True, False])
@pytest.mark.parametrize("sure", [True, False])
def test_at_first_and_without_a_limit(known: int | None, most: int, unlimited: bool, sure: bool) -> None:
    shares = Shares(0.1, 5000)
    if unlimited:
        shares.learn(seen(intent(), None))
    assert most == shares.most(intent(), known, sure=sure)


@pytest.mark.parametrize(
    ("nanos", "tokens", "choices", "most", "safe"),
    [
        (10**9, None, 1, 200_000, 200_000),
        (1_000_000, None, 1, 49_500, 5000),
        (1_000_000, None, 3, 16_500, 5000),
        (90_000, None, 1, 4000, 4000),
        (10_000, None, 1, LEAST, LEAST),
        (0, None, 1, LEAST, LEAST),
        (None, 100_000, 1, 9000, 5000),
        (10**9, 100_000, 1, 9000, 5000),
        (None, 0, 1, LEAST, LEAST),
    ],
)
def test_a_share_of_what_is_left(nanos: int | None, tokens: int | None, choices: int, most: int, safe: int) -> None:
    shares = Shares(0.1, 5000)
    shares.learn(seen(intent(), nanos, tokens))
    assert [most, safe] == [shares.most(intent(choices=choices), 200_000, sure=sure) for sure in (True, False)]


def test_a_small_model_stays_small() -> None:
    shares = Shares(1.0, 5000)
    shares.learn(seen(intent(), 0))
    assert 100 == shares.most(intent(), 100, sure=True)


def test_others_budgets_are_others() -> None:
    shares = Shares(0.1, 5000)
    shares.learn(seen(intent("key-1"), 10**12))
    assert (200_000, 5000) == (shares.most(intent("key-1"), 200_000, sure=True), shares.most(intent("key-2"), 200_000, sure=True))


def test_the_oldest_are_forgotten() -> None:
    shares = Shares(0.1, 5000)
    for number in range(MOST_KEPT + 1):
        shares.learn(seen(intent(f"key-{number}"), 10**12))
    assert (5000, 200_000) == (shares.most(intent("key-0"), 200_000, sure=True), shares.most(intent("key-1"), 200_000, sure=True))


@given(st.integers(0, 10**15), st.integers(1, 1 << 27), st.integers(1, 128), st.booleans())
def test_it_is_never_more_than_the_model_has_and_never_less_than_one(nanos: int, known: int, choices: int, sure: bool) -> None:
    shares = Shares(0.1, 5000)
    shares.learn(seen(intent(), nanos))
    assert 1 <= shares.most(intent(choices=choices), known, sure=sure) <= known
