import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.failing import FADE_SECONDS, Failing

ATTEMPTS = st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=50)


def seen(attempts: list[tuple[float, bool]]) -> tuple[Failing, float]:
    """Each so many seconds after the one before; and when the last one was."""
    failing, now = Failing(), 0.0
    for wait, failed in attempts:
        now += wait
        failing.observe(failed, now)
    return failing, now


@given(ATTEMPTS, st.floats(0, 1000))
def test_it_is_a_share_and_fades(attempts: list[tuple[float, bool]], later: float) -> None:
    failing, now = seen(attempts)
    assert 0.0 <= failing.share(now + later) <= failing.share(now) < 1.0


@given(ATTEMPTS, st.floats(0, 10))
def test_a_failure_makes_it_more_and_an_answer_less(attempts: list[tuple[float, bool]], wait: float) -> None:
    for failed in (True, False):
        failing, now = seen(attempts)
        before = failing.share(now + wait)
        failing.observe(failed, now + wait)
        assert failing.share(now + wait) > before if failed else failing.share(now + wait) <= before


@pytest.mark.parametrize("every", [2, 3, 10])
def test_many_attempts_tell_the_share(every: int) -> None:
    failing, now = seen([(0.01, number % every == 0) for number in range(10_000)])
    assert failing.share(now) == pytest.approx(1 / every, rel=0.05)


def test_one_failure_after_nothing_is_half() -> None:
    failing, now = seen([(5.0, True)])
    assert (0.5, 0.0) == (failing.share(now), Failing().share(now))


def test_who_is_well_again_is_soon_believed() -> None:
    """Half a minute of answers after a minute of failures."""
    failing, now = seen([*[(0.1, True)] * 600, *[(0.1, False)] * 300])
    assert 0.0 < failing.share(now) < 0.06
    assert failing.share(now + 6 * FADE_SECONDS) < 0.04


def test_what_is_forgotten_does_not_count() -> None:
    failing, now = seen([(1.0, True)] * 9)
    failing.forget()
    assert 0.0 == failing.share(now)
    failing.observe(True, now)
    assert 0.5 == failing.share(now)


def test_a_clock_that_stands_still_or_goes_back_makes_nothing_of_the_past_larger() -> None:
    failing = Failing()
    failing.observe(True, 10.0)
    failing.observe(False, 9.0)
    assert failing.share(8.0) == pytest.approx(1 / 3)
