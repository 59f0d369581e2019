from random import Random

from hypothesis import given
from hypothesis import strategies as st

from middleware.routing_retries import BASE_SECONDS, MOST_BACKOFF_SECONDS, RetryBudget, backoff


def test_a_quiet_gateway_may_try_again() -> None:
    budget = RetryBudget(reserve=3)
    assert [True, True, True, False] == [budget.spend(0.0) for _ in range(4)]


def test_time_alone_gives_a_little_back() -> None:
    budget = RetryBudget(reserve=1, a_second=0.1)
    assert [True, False] == [budget.spend(0.0), budget.spend(5.0)]
    assert budget.spend(10.0)


def test_time_that_goes_back_gives_nothing() -> None:
    budget = RetryBudget(reserve=1)
    assert [True, False] == [budget.spend(100.0), budget.spend(0.0)]


@given(st.lists(st.integers(1, 3), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_retries_stay_a_share_of_the_requests(wanted: list[int], share: float) -> None:
    budget = RetryBudget(share, reserve=5, a_second=0.0)
    made = 0
    for retries in wanted:
        budget.earn()
        made += sum(budget.spend(0.0) for _ in range(retries))
    assert made <= share * len(wanted) + 5 + 1e-6


@given(st.integers(1, 10), st.none() | st.floats(0, 60), st.integers())
def test_one_waits_at_least_what_was_asked_for_and_not_much_more(tries: int, said: float | None, seed: int) -> None:
    wait = backoff(tries, said, Random(seed))
    assert (said or 0.0) <= wait <= (said or 0.0) + min(MOST_BACKOFF_SECONDS, BASE_SECONDS * 2**tries)
