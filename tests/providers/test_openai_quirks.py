"""The repairs that need to know nothing but what they repair."""

import copy
from typing import Any

import pytest

from providers import openai_quirks as quirks
from tests.providers.openai_wire import Json

THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}, {"type": "text", "text": "."}]}
TEXT = {"type": "text", "text": "hi"}
DETAILS = [
    {"type": "reasoning.text", "text": "a"},
    {"type": "reasoning.summary", "summary": "b"},
    {"type": "reasoning.encrypted", "data": "x"},
]


@pytest.mark.parametrize(
    ("part", "added"),
    [
        ({"reasoning": "r"}, "r"),
        ({"reasoning": "r", "reasoning_details": DETAILS}, "r"),
        ({"reasoning_details": DETAILS}, "ab"),
        ({"reasoning": None, "reasoning_details": DETAILS}, "ab"),
    ],
)
def test_reasoning_is_added_and_the_original_stays(part: Json, added: str) -> None:
    made = copy.deepcopy(part)
    quirks.reasoning(made)
    assert {**part, "reasoning_content": added} == made


@pytest.mark.parametrize(
    "part", [{"reasoning_content": "c", "reasoning": "r"}, {"content": "x"}, {"reasoning": ""}, {"reasoning_details": 7}]
)
def test_there_is_nothing_to_add(part: Json) -> None:
    made = copy.deepcopy(part)
    quirks.reasoning(made)
    assert part == made


@pytest.mark.parametrize(
    ("content", "made"),
    [
        ([THINKING], {"content": "", "reasoning_content": "hm."}),
        ([THINKING, TEXT, TEXT], {"content": "hihi", "reasoning_content": "hm."}),
        ([TEXT, {"type": "reference", "reference_ids": [1]}], {"content": "hi"}),
        ("hi", {"content": "hi"}),
        (None, {"content": None}),
        ([1, {"text": 2}], {"content": ""}),
        ({"title": "é", "n": [1]}, {"content": '{"title":"é","n":[1]}'}),
    ],
)
def test_parts_become_text(content: Any, made: Json) -> None:
    part = {"content": copy.deepcopy(content)}
    quirks.content_parts(part)
    assert made == part


@pytest.mark.parametrize(
    ("counts", "made", "reasoning"),
    [
        ((10, 5, 35), 25, 20),  # xAI, Gemini
        ((10, 5, 15), 5, None),
        ((10, 5, 3), 5, None),
        ((10, None, None), None, None),
        ((-1, "x", 1e300), 1 << 27, 1 << 27),
    ],
)
def test_the_output_is_what_the_input_leaves_of_the_total(counts: tuple[Any, Any, Any], made: int | None, reasoning: int | None) -> None:
    usage: Json = dict(zip(("prompt_tokens", "completion_tokens", "total_tokens"), counts, strict=True))
    quirks.output_is_rest(usage)
    assert made == usage["completion_tokens"]
    assert reasoning == usage.get("completion_tokens_details", {}).get("reasoning_tokens")


def test_details_that_are_there_win() -> None:
    usage: Json = {
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "total_tokens": 9,
        "completion_tokens_details": {"reasoning_tokens": 6, "odd": 1},
    }
    quirks.output_is_rest(usage)
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 6, "odd": 1}


@pytest.mark.parametrize(
    ("word", "said"), [("eos", "stop"), ("model_length", "length"), ("tool_calls", "tool_calls"), (None, None), (7, 7)]
)
def test_finish_words(word: Any, said: Any) -> None:
    choice = {"finish_reason": word}
    quirks.finish_words(choice)
    assert choice == {"finish_reason": said}


def test_every_name_is_listed() -> None:
    names = {value for name, value in vars(quirks).items() if name.isupper() and isinstance(value, str)}
    assert names == quirks.QUIRKS
    assert quirks.TOLERANT < quirks.QUIRKS
