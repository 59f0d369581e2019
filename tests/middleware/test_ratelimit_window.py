from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.ratelimit_window import Share, Window, duration, tell, unfit


@pytest.mark.parametrize(
    ("window", "used"),
    [
        (Window(0, 0, 0, 0), 0),
        (Window(0, 0, 7, 90), 7),
        (Window(10, 60, 7, 120), 17),
        (Window(10, 30, 7, 90), 12),
        (Window(10, 29, 7, 89), 11),
    ],
)
def test_the_previous_minute_counts_as_far_as_it_is_not_a_minute_ago(window: Window, used: int) -> None:
    assert used == window.used


@pytest.mark.parametrize(
    ("window", "most", "wait"),
    [
        (Window(0, 0, 0, 0), 0, 0),
        (Window(0, 0, 9, 80), 9, 0),
        (Window(10, 60, 0, 120), 9, 0.0),  # it is one less in the very next moment
        (Window(10, 60, 0, 120), 8, 6),
        (Window(10, 60, 0, 120), 0, 54),
        (Window(0, 0, 10, 90), 9, 30),  # to the end of the current minute, then it slides out
        (Window(0, 0, 10, 90), 4, 60),
        (Window(10, 60, 10, 120), 10, 54),
        (Window(0, 0, 1, 120), -1, 60),
    ],
)
def test_it_is_known_when_there_is_room_again(window: Window, most: int, wait: float) -> None:
    assert window.wait(most) == pytest.approx(wait)


def later(window: Window, seconds: float) -> Window:
    """The same counts after a while."""
    if seconds < window.current_ttl - 60:
        return Window(window.previous, max(0, window.previous_ttl - seconds), window.current, window.current_ttl - seconds)
    return Window(window.current, max(0, window.current_ttl - seconds), 0, 0)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0.5, 60), st.integers(0, 20_000))
def test_after_the_wait_there_is_room_and_not_long_before(previous: int, current: int, left: float, most: int) -> None:
    window = Window(previous, left, current, left + 60)
    wait = window.wait(most)
    assert later(window, wait + 0.001).used <= most
    if wait > 0.001:
        assert later(window, wait - 0.001).used > most


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0.5, 60))
def test_more_room_takes_longer(previous: int, current: int, left: float) -> None:
    waits = [Window(previous, left, current, left + 60).wait(most) for most in range(0, 20_000, 500)]
    assert all(longer >= shorter for longer, shorter in pairwise(waits))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0001, "1ms"),
        (0.006, "6ms"),
        (0.9985, "999ms"),
        (0.9991, "1s"),
        (1, "1s"),
        (59.2, "1m0s"),
        (62, "1m2s"),
        (360, "6m0s"),
    ],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert text == duration(seconds)


def test_a_limit_is_told_in_openais_headers() -> None:
    headers = {"x-other": "1"}
    tell(headers, "tokens", 100, Window(10, 30, 7, 90))
    assert {
        "x-other": "1",
        "x-ratelimit-limit-tokens": "100",
        "x-ratelimit-remaining-tokens": "88",
        "x-ratelimit-reset-tokens": "1m22s",
    } == headers
    tell(headers, "requests", 5, Window(0, 0, 9, 90))
    assert "0" == headers["x-ratelimit-remaining-requests"]


def test_the_first_share_is_told_that_does_not_fit() -> None:
    shares = [Share("requests", "a", 10, 1), Share("tokens", "b", 10, 4)]
    assert None is unfit(shares, [Window(0, 0, 9, 90), Window(10, 30, 1, 90)])
    assert shares[1] == unfit(shares, [Window(0, 0, 9, 90), Window(10, 30, 2, 90)])
    assert shares[0] == unfit(shares, [Window(0, 0, 10, 90), Window(10, 30, 2, 90)])
