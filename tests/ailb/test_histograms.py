from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.attempts import LATENCY
from ailb.histograms import Histogram, filled

THREE = Histogram((1.0, 10.0, 100.0))


def row(histogram: Histogram, *values: float, start: int = 2) -> list[int]:
    numbers = [0] * (start + histogram.width)
    for value in values:
        histogram.add(numbers, start, value)
    return numbers


@pytest.mark.parametrize(("value", "bucket"), [(0, 0), (1, 0), (1.1, 1), (10, 1), (100, 2), (100.1, 3), (1e9, 3)])
def test_a_bucket_holds_up_to_its_bound(value: float, bucket: int) -> None:
    assert 2 + bucket == row(THREE, value).index(1)


def test_it_counts_and_sums_up_and_touches_nothing_else() -> None:
    numbers = row(THREE, 0.5, 5, 5.25, 200)
    assert [0, 0, 1, 2, 0, 1, 210_750] == numbers
    assert (4, 210.75, 210.75 / 4) == (THREE.count(numbers, 2), THREE.sum(numbers, 2), THREE.mean(numbers, 2))


def test_of_nothing_there_is_no_mean_and_no_percentile() -> None:
    assert (None, None) == (THREE.mean(row(THREE), 2), THREE.percentile(row(THREE), 2, 0.5))


def test_prometheus_gets_it_cumulative_and_in_its_own_unit() -> None:
    buckets, total = THREE.cumulative(row(THREE, 0.5, 5, 200), 2, 1000)
    assert [("0.001", 1), ("0.01", 2), ("0.1", 2), ("+Inf", 3)] == buckets
    assert 0.2055 == pytest.approx(total)


def test_some_bounds_may_be_told_alone() -> None:
    buckets, _ = THREE.cumulative(row(THREE, 0.5, 5, 200), 2, only=(10, 100))
    assert [("10.0", 2), ("100.0", 2), ("+Inf", 3)] == buckets


def test_bounds_are_filled_up() -> None:
    made = filled((1, 10, 15, 16), 1.1)
    assert {1, 10, 15, 16} <= set(made)
    assert all(1 < upper / lower <= 1.1 for lower, upper in pairwise(made))


@given(st.lists(st.floats(0.1, 600_000), min_size=1, max_size=50), st.sampled_from([0.5, 0.95]))
def test_a_percentile_is_right_to_a_tenth(values: list[float], share: float) -> None:
    exact = sorted(values)[max(1, round(share * len(values))) - 1]
    assert exact == pytest.approx(LATENCY.percentile(row(LATENCY, *values), 2, share), rel=0.1)


def test_what_is_past_the_last_bound_counts_as_the_last_bound() -> None:
    assert 100 == THREE.percentile(row(THREE, 5000), 2, 0.5)
