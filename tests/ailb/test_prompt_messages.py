from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.prompt_messages import alternating, joined, put_before

A, B = {"type": "text", "text": "a"}, {"type": "text", "text": "b"}
CALLS = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


@pytest.mark.parametrize(
    ("first", "then", "both"),
    [
        ("a", "b", "a\n\nb"),
        ("", "b", "b"),
        (None, "b", "b"),
        ("a", None, "a"),
        (None, None, None),
        ("", "", ""),
        ("a", [B], [A, B]),
        ([A], "b", [A, B]),
        (None, [B], [B]),
        ([A], None, [A]),
        ([], "", []),
        ("a", 5, [A, 5]),
        ({"odd": 1}, "b", [{"odd": 1}, B]),
    ],
)
def test_two_contents_are_one(first: Any, then: Any, both: Any) -> None:
    assert both == joined(first, then)


@pytest.mark.parametrize(
    ("content", "own", "expected"),
    [
        ("a", "a", "b\n\na"),
        ("", "", "b"),
        (None, None, "b"),
        ("x\n\na", "a", "x\n\nb\n\na"),
        ("x", "", "x\n\nb"),
        ([A], [A], [B, A]),
        ([B, A], [A], [B, B, A]),
        ([A], [], [A, B]),
        ([A, A], "a", [A, B, A]),
        (5, 5, [B, 5]),
    ],
)
def test_a_text_stands_before_what_is_the_users_own(content: Any, own: Any, expected: Any) -> None:
    assert expected == put_before("b", content, own)


def test_neighbours_become_one_message() -> None:
    given = [said("user", "a", name="x"), said("user", [B]), said("assistant", "a"), said("assistant", None, tool_calls=[1])]
    assert [said("user", [A, B], name="x"), said("assistant", "a", tool_calls=[1])] == alternating(given)


@pytest.mark.parametrize("messages", [[CALLS, CALLS], [said("tool", "a"), said("tool", "b")], [said("system", "a")] * 2, [{}, {}], []])
def test_what_may_stand_side_by_side_does(messages: list[dict[str, Any]]) -> None:
    assert messages == alternating(messages)


TEXTS = st.none() | st.text(alphabet="ab", max_size=2) | st.lists(st.sampled_from([A, B]), max_size=2)


@given(st.lists(st.builds(said, st.sampled_from(["user", "assistant", "system"]), TEXTS), max_size=6))
def test_nobody_speaks_twice_in_a_row_and_nothing_is_lost(messages: list[dict[str, Any]]) -> None:
    made = alternating(messages)
    assert all(one["role"] != other["role"] or one["role"] == "system" for one, other in pairwise(made))
    contents = [content if isinstance(content, str) else "".join(part["text"] for part in content or ()) for content in contents_of(made)]
    before = [content if isinstance(content, str) else "".join(part["text"] for part in content or ()) for content in contents_of(messages)]
    assert "".join(before) == "".join(contents).replace("\n\n", "")


def contents_of(messages: list[dict[str, Any]]) -> list[Any]:
    return [message["content"] for message in messages]
