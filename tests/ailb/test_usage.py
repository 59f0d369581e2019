from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.usage import MOST, Usage, count

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMES = st.sampled_from(
    [
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "output_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "cached_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "prompt_cache_hit_tokens",
    ]
)


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        (0, 0),
        (7, 7),
        (MOST, MOST),
        (MOST + 1, MOST),
        (10**100, MOST),
        (-5, 0),
        (None, 0),
        ("7", 0),
        (True, 0),
        (2.9, 2),
        (-2.9, 0),
        (float("nan"), 0),
        (float("inf"), MOST),
        ([], 0),
        ({}, 0),
    ],
)
def test_a_count_is_made_safe(said: object, counted: int) -> None:
    assert counted == count(said)


CASES: list[tuple[dict[str, Any], Usage]] = [
    ({}, Usage()),
    ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 99}, Usage(10, 5)),
    ({"input_tokens": 10, "output_tokens": 5}, Usage(10, 5)),
    ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}}, Usage(10, cached=4)),
    ({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}}, Usage(10, cached=4)),
    ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2}}, Usage(10, cached=4, cache_written=2)),
    ({"prompt_tokens": 10, "prompt_cache_hit_tokens": 4}, Usage(10, cached=4)),
    ({"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 3}}, Usage(0, 9, reasoning=3)),
    ({"output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 3}}, Usage(0, 9, reasoning=3)),
    ({"prompt_tokens": 3, "prompt_tokens_details": None, "completion_tokens_details": []}, Usage(3)),
]


@pytest.mark.parametrize(("said", "usage"), CASES)
def test_what_providers_report(said: dict[str, Any], usage: Usage) -> None:
    assert usage == Usage.of_chat(said)


def test_parts_are_never_more_than_the_whole() -> None:
    assert Usage(3, 2, 3, 0, 0, 2) == Usage(input=3, output=2, cached=9, cache_written=9, cache_written_1h=9, reasoning=9)
    assert Usage(5, 0, 3, 2, 2) == Usage(input=5, cached=3, cache_written=4, cache_written_1h=4)


@given(st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON)))
def test_whatever_an_upstream_says_the_counts_are_sane(said: dict[str, Any]) -> None:
    usage = Usage.of_chat(said)
    assert 0 <= usage.cached + usage.cache_written <= usage.input <= MOST
    assert 0 <= usage.reasoning <= usage.output <= MOST
    assert usage.total == usage.input + usage.output


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_what_is_told_to_clients_reads_back(input: int, output: int, cached: int, reasoning: int) -> None:
    usage = Usage(input, output, cached, reasoning=reasoning)
    assert usage == Usage.of_chat(usage.chat())
    assert usage.chat()["total_tokens"] == input + output
