from typing import Any

import pytest

from ailb.dialect import Target
from ailb.models import Models
from ailb.prompt import Prompt
from ailb.testing_money import FixedPrices, WordCounter
from middleware.memory_room import ANSWER, Room

MODELS = Models({"p": ["m"]}, {"two": [Target("p", "big"), Target("p", "small", context=3000)]}, default="m")


def prompt(words: int = 10, **body: Any) -> Prompt:
    return Prompt({"model": "m", "messages": [{"role": "user", "content": "word " * words}], **body}, {})


def room(context: int | None) -> Room:
    return Room(MODELS, FixedPrices(context=context), WordCounter())


@pytest.mark.parametrize(
    ("context", "words", "body", "expected"),
    [
        (None, 10, {}, 5000),
        (100_000, 10, {}, 5000),
        (100_000, 90_000, {}, int((100_000 - ANSWER - 90_000) / 1.35)),
        (8000, 10, {"max_tokens": 7000}, int(990 / 1.35)),
        (8000, 10, {"max_tokens": 9000}, 0),
        (2000, 10, {}, int((2000 - 500 - 10) / 1.35)),
        (8000, 10, {"model": "two"}, int((3000 - 750 - 10) / 1.35)),
        (None, 10, {"model": "two"}, int((3000 - 750 - 10) / 1.35)),
        (8000, 10, {"model": "nobody's"}, 0),
    ],
)
async def test_there_is_room_for_what_the_smallest_model_takes_beside_prompt_and_answer(
    context: int | None, words: int, body: dict[str, Any], expected: int
) -> None:
    assert expected == await room(context).beside(prompt(words, **body), 5000)


async def test_a_request_without_a_model_is_for_the_default_one() -> None:
    assert 5000 == await room(None).beside(prompt(model=None), 5000)
