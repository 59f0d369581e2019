from math import isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.store.sessions_vectors import _all, _each, cosines, packed


def test_the_same_direction_is_nearest() -> None:
    near = cosines({1: packed([1.0, 0.0]), 2: packed([0.0, 1.0]), 3: packed([0.6, 0.8])}, [1.0, 0.0])
    assert {1: 1.0, 2: 0.0, 3: pytest.approx(0.6)} == near


def test_what_has_another_dimension_is_left_out() -> None:
    assert {2: 1.0} == cosines({1: packed([1.0]), 2: packed([1.0, 0.0])}, [1.0, 0.0])
    assert {} == cosines({}, [1.0])


def test_a_vector_is_little_endian() -> None:
    assert b"\x00\x00\x80\x3f" == packed([1.0])


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4), min_size=1, max_size=5))
def test_it_does_not_matter_who_counts(vectors: list[list[float]]) -> None:
    raws = [packed(vector) for vector in vectors]
    pairs = zip(_all(raws, vectors[0]), _each(raws, vectors[0]), strict=True)
    assert all(isclose(one, other, abs_tol=1e-5 * sqrt(len(vectors[0]))) for one, other in pairs)
