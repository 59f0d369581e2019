from typing import Any

import pytest

from ailb.sessions import Turn, words


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Hello", "Hello"),
        (None, ""),
        ([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, "odd", {"type": "text", "text": "b"}], "a\nb"),
        ({"odd": 1}, ""),
    ],
)
def test_the_words_of_a_message(content: Any, text: str) -> None:
    assert text == words({"role": "user", "content": content})


def test_a_turn_is_searched_by_all_that_was_said() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": None},
        {"role": "tool", "content": "Here."},
    ]
    assert "Where?\nHere." == Turn(1, 0.0, messages).text
