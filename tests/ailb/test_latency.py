from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.latency import DECAY_SECONDS, LEAST, TYPICAL_SECONDS, TYPICAL_TOKENS, WINDOW, Latency


def test_nobody_knows_before_there_was_an_answer() -> None:
    latency = Latency()
    for streamed in (True, False):
        assert latency.expected(streamed) is None
        assert latency.p95(streamed) is None
        assert latency.heard(streamed) < -1e9


def test_a_slower_answer_counts_at_once() -> None:
    latency = Latency()
    for seconds in (1.0, 3.0):
        latency.observe(seconds, 0.0)
    assert 3.0 == latency.expected()


def test_faster_ones_win_it_back_with_time() -> None:
    latency = Latency()
    latency.observe(3.0, 0.0)
    latency.observe(1.0, 0.0)
    assert 3.0 == latency.expected()
    latency.observe(1.0, DECAY_SECONDS)
    between = latency.expected()
    assert between is not None
    assert 1.0 < between < 2.0
    latency.observe(1.0, 100 * DECAY_SECONDS)
    assert latency.expected() == pytest.approx(1.0)
    assert 100 * DECAY_SECONDS == latency.heard()


@given(st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(0, 100)), min_size=1))
def test_what_is_expected_was_seen_or_lies_between(answers: list[tuple[float, float]]) -> None:
    latency, now = Latency(), 0.0
    for seconds, later in answers:
        now += later
        latency.observe(seconds, now)
        expected = latency.expected()
        assert expected is not None
        assert seconds * (1 - 1e-9) <= expected <= max(seen for seen, _ in answers) * (1 + 1e-9)


@pytest.mark.parametrize(("seconds", "tokens", "expected"), [(2 * TYPICAL_SECONDS, TYPICAL_TOKENS, 2.0), (0.5, 0, 1.0), (41.0, 1000, 2.0)])
def test_a_whole_answer_is_measured_by_its_size(seconds: float, tokens: int, expected: float) -> None:
    latency = Latency()
    latency.observe(seconds, 1.0, tokens)
    assert latency.expected(False) == pytest.approx(expected * TYPICAL_SECONDS)
    assert 1.0 == latency.heard(False)


def test_the_other_kind_tells_where_there_was_none() -> None:
    streams, wholes = Latency(), Latency()
    streams.observe(1.0, 0.0)
    wholes.observe(2 * TYPICAL_SECONDS, 0.0, TYPICAL_TOKENS)
    assert streams.expected(False) == pytest.approx(2 * TYPICAL_SECONDS)
    assert wholes.expected() == pytest.approx(1.0)
    wholes.observe(9.0, 0.0)
    assert 9.0 == wholes.expected()


@pytest.mark.parametrize("tokens", [None, 100])
def test_the_slowest_in_twenty_is_known_after_twenty(tokens: int | None) -> None:
    latency = Latency()
    for number in range(LEAST):
        assert latency.p95(tokens is None) is None
        latency.observe(float(number), 0.0, tokens)
    assert 18.0 == latency.p95(tokens is None)


def test_only_the_last_hundred_count() -> None:
    latency = Latency()
    for _ in range(250):
        latency.observe(99.0, 0.0)
    numbers = [float(number) for number in range(WINDOW)]
    Random(1).shuffle(numbers)
    for number in numbers:
        latency.observe(number, 0.0)
    assert 94.0 == latency.p95()
    assert len(latency.streams.recent) == WINDOW
