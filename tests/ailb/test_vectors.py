import math
from typing import Any

import pytest

from ailb.errors import Unavailable
from ailb.vectors import MOST_DIMENSION, NoVectors, packed


def test_a_vector_is_what_it_was_to_32_bits() -> None:
    assert [0.5, -0.25] == packed([0.5, -0.25]).tolist() == packed([0.5, -0.25], 2).tolist()


@pytest.mark.parametrize(
    ("vector", "problem"),
    [
        ([], "1 to"),
        ([0.1] * (MOST_DIMENSION + 1), "1 to"),
        ([0.0, 0.0], "no direction"),
        ([math.nan, 1.0], "finite"),
        ([1.0, math.inf], "finite"),
        ([1.0, -math.inf], "finite"),
        ([1e308, 1.0], "finite"),
        ([1e30, 1.0], "no direction"),
        ([1e-30, 0.0], "no direction"),
        ([1.0], "has 1 numbers"),
        ([1.0, 0.0, 0.0], "has 3 numbers"),
    ],
)
def test_what_has_no_place_in_space_is_refused(vector: list[float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        packed(vector, None if "numbers" not in problem else 2)


async def test_where_there_is_no_store_nothing_can_be_added_and_all_else_is_done() -> None:
    none: Any = NoVectors()
    await none.delete("c", [1])
    await none.drop("c")
    for asked in (none.add("c", [1], [[1.0]]), none.query("c", [1.0], 1)):
        with pytest.raises(Unavailable, match="no vector store"):
            await asked
