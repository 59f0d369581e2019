import pytest

from benchmarks.timing import compared


@pytest.mark.parametrize(
    ("near", "far", "expected"),
    [
        ([5.0, 1.0, 3.0], [2.0, 4.0, 4.0, 6.0], (3.0, 4.0, 1.0, 1.0)),
        ([4.0], [4.0, 3.0, 5.0], (4.0, 4.0, 1.0, 0.0)),
        ([8.0], [2.0, 4.0, 6.0], (8.0, 4.0, 2.0, 2.0)),
        ([3.0], [3.0, 3.0], (3.0, 3.0, 0.0, 0.0)),
    ],
)
def test_a_difference_is_told_in_noises(near: list[float], far: list[float], expected: tuple[float, ...]) -> None:
    found = compared(near, far)
    assert expected == (found.near, found.far, found.noise, found.noises)
