import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.breaker import Breaker


def opened(*, at: float = 0.0) -> Breaker:
    breaker = Breaker(after=3, seconds=10)
    for _ in range(3):
        breaker.failed(at)
    return breaker


def test_a_new_one_lets_everything_through() -> None:
    breaker = Breaker(3, 10)
    assert ("closed", [True] * 5, 0.0) == (breaker.state(0), [breaker.admits(0) for _ in range(5)], breaker.retry_after(0))


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker(3, 10)
    for _ in range(5):
        breaker.failed(0)
        breaker.failed(0)
        assert breaker.state(0) == "closed"
        breaker.succeeded()
    assert opened().state(0) == "open"


@pytest.mark.parametrize(("now", "state", "wait"), [(0, "open", 10), (9.5, "open", 0.5), (10, "half_open", 0), (99, "half_open", 0)])
def test_it_is_open_for_its_seconds(now: float, state: str, wait: float) -> None:
    assert (state, wait) == (opened().state(now), opened().retry_after(now))
    assert (state == "half_open") is opened().admits(now)


def test_half_open_lets_one_through_at_a_time() -> None:
    breaker = opened()
    assert [True, *[False] * 99] == [breaker.admits(10) for _ in range(100)]


@pytest.mark.parametrize("ending", ["succeeded", "failed", "abandoned"])
def test_what_the_probe_comes_to(ending: str) -> None:
    breaker = opened()
    assert breaker.admits(10)
    if ending == "failed":
        breaker.failed(11)
        assert ("open", 10) == (breaker.state(11), breaker.retry_after(11))
        assert [True, False] == [breaker.admits(21), breaker.admits(21)]
    elif ending == "abandoned":
        breaker.abandoned()
        assert [True, False] == [breaker.admits(11), breaker.admits(11)]
    else:
        breaker.succeeded()
        assert ("closed", 0) == (breaker.state(11), breaker.failures)


@given(st.lists(st.sampled_from(["ask", "succeeded", "failed", "abandoned", "wait"]), max_size=60))
def test_an_open_one_never_has_two_probes(steps: list[str]) -> None:
    """Every request that was let through ends once; the clock stands still or jumps past the opening."""
    breaker = Breaker(2, 10)
    now = 0.0
    probes = inside = 0
    for step in steps:
        if step == "wait":
            now += 10
        elif step == "ask":
            state = breaker.state(now)
            if breaker.admits(now):
                inside += 1
                probes += state == "half_open"
        elif inside:
            inside -= 1
            if probes:
                probes -= 1
            breaker.failed(now) if step == "failed" else getattr(breaker, step)()
        assert probes <= 1 or breaker.state(now) == "closed"
        assert breaker.retry_after(now) >= 0
        assert breaker.state(now) != "open" or not breaker.admits(now)
