from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.memory_messages import MOST_TEXT, called, countable, cut, kept, plain, same, shares

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1, "b": 2}'}}
PIXELS = "data:image/png;base64," + "A" * 100_000


def said(content: Any, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("hi", "hi"),
        (None, None),
        ("", None),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        ([{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}], "[image: https://x.example/a.png]"),
        ([{"type": "file", "file": {"file_id": "file-1"}}, 7], "[file: file-1]"),
        ([{"type": "odd"}], "[odd: ]"),
        (7, None),
    ],
)
def test_content_becomes_a_text(content: Any, expected: str | None) -> None:
    assert {"role": "user", "content": expected} == kept(said(content))


def test_a_picture_becomes_a_reference_that_tells_it_from_others() -> None:
    parts = [[{"type": "image_url", "image_url": {"url": PIXELS + end}}] for end in ("", "", "B")]
    texts = [kept(said(part))["content"] for part in parts]
    assert texts[0] == texts[1] != texts[2]
    assert all("image/png" in text and len(text) < 100 for text in texts)


def test_calls_results_and_reasoning_are_kept_and_nothing_else() -> None:
    thinking = {"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}
    asked = said(None, "assistant", tool_calls=[CALL], **thinking)
    assert asked == kept({**asked, "refusal": None, "annotations": [], "audio": None})
    assert said("1", "tool", tool_call_id="c1") == kept(said("1", "tool", tool_call_id="c1", odd=1))
    assert said(None, "assistant", tool_calls=[CALL]) == plain(kept(asked))
    assert "no" == kept(said(None, "assistant", refusal="no"))["content"]
    (old,) = kept(said(None, "assistant", function_call=CALL["function"]))["tool_calls"]
    assert CALL["function"] == old["function"]


def test_a_long_text_keeps_both_ends() -> None:
    text = kept(said("a" * MOST_TEXT + "middle" + "z" * MOST_TEXT))["content"]
    assert (True, True, False) == (text.startswith("aaa"), text.endswith("zzz"), "middle" in text)
    assert len(text) < MOST_TEXT + 100
    assert ("abc", "abc") == (cut("abc", 3), cut("abc", 4))


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (said("hi"), said([{"type": "text", "text": "hi "}]), True),
        (said("hi", name="x"), said("hi"), True),
        (said("hi"), said("hi", "assistant"), False),
        (said("1", "tool", tool_call_id="a"), said("1", "tool", tool_call_id="b"), True),
        (said(None, "assistant", tool_calls=[CALL]), said("", "assistant", tool_calls=[{**CALL, "id": "other"}]), True),
        (
            said(None, "assistant", tool_calls=[CALL]),
            said(None, "assistant", tool_calls=[{"function": {"name": "f", "arguments": {"b": 2, "a": 1}}}]),
            True,
        ),
        (said(None, "assistant", tool_calls=[CALL]), said(None, "assistant"), False),
        (said("\ud800"), said("\ud801"), False),
    ],
)
def test_what_says_the_same_is_the_same(one: dict[str, Any], other: dict[str, Any], equal: bool) -> None:
    assert equal is (same(kept(one)) == same(kept(other)))


def test_what_takes_tokens_is_counted() -> None:
    assert 'hi\nf {"a": 1, "b": 2}' == countable([said("hi"), said(None, "assistant", tool_calls=[CALL], reasoning_content="hm")])
    assert [("f", "{}"), ("None", "{}")] == list(called({"tool_calls": [{"function": {"name": "f"}}, {"function": {}}, {"odd": 1}, 7]}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(), c, max_size=3)
)


@given(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "function_call", "refusal", "name"]), JSON))
def test_any_message_can_be_kept(message: dict[str, Any]) -> None:
    made = kept(message)
    assert made["content"] is None or isinstance(made["content"], str)
    assert len(same(made)) == 12


@given(st.lists(st.integers(0, 100)), st.integers(0, 300))
def test_shares_are_no_more_than_there_is(lengths: list[int], most: int) -> None:
    made = shares(lengths, most)
    assert sum(made) <= most
    assert all(part <= length for part, length in zip(made, lengths, strict=True))
    assert sum(lengths) > most or made == lengths
