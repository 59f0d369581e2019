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
        "audio_tokens",
        "citation_tokens",
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
    ({"prompt_tokens": None, "input_tokens": 3, "completion_tokens": None, "output_tokens": 2}, Usage(3, 2)),
    ({"prompt_tokens": 0, "input_tokens": 3}, Usage(0)),
    ({"prompt_tokens": 9, "prompt_tokens_details": {"audio_tokens": 4}}, Usage(9, audio_input=4)),
    ({"completion_tokens": 9, "completion_tokens_details": {"audio_tokens": 4}}, Usage(0, 9, audio_output=4)),
    # Perplexity's deep research, as its documentation has it
    (
        {"prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196, "citation_tokens": 20016, "reasoning_tokens": 73995},
        Usage(20049, 81158, reasoning=73995),
    ),
    ({"prompt_tokens": 33, "completion_tokens": 7, "reasoning_tokens": 5}, Usage(33, 7)),  # nobody's: then it says nothing
    # lies
    ({"prompt_tokens": -5, "completion_tokens": 10**12}, Usage(0, MOST)),
    ({"prompt_tokens": "7", "completion_tokens": True}, Usage()),
    ({"prompt_tokens": 7.9, "completion_tokens": 1e300}, Usage(7, MOST)),
    ({"prompt_tokens": 154, "prompt_tokens_details": {"cached_tokens": 164}}, Usage(154, cached=154)),
    ({"completion_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 37}}, Usage(0, 10, reasoning=10)),
    ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": -5, "audio_tokens": 9}}, Usage(5, audio_input=5)),
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
    assert 0 <= usage.cached + usage.cache_written <= usage.input <= 2 * MOST
    assert 0 <= usage.reasoning <= usage.output <= 2 * MOST
    assert 0 <= usage.audio_input <= usage.input
    assert 0 <= usage.audio_output <= usage.output
    assert usage.total == usage.input + usage.output


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_what_is_told_to_clients_reads_back(input: int, output: int, cached: int, reasoning: int) -> None:
    usage = Usage(input, output, cached, reasoning=reasoning, audio_input=cached, audio_output=reasoning)
    assert usage == Usage.of_chat(usage.chat())
    assert usage.chat()["total_tokens"] == input + output
