from typing import Any

import pytest

from ailb.errors import BadRequest
from ailb.prompt import MOST_CHOICES, MOST_NAME, MOST_TOKENS, Prompt

HELLO = [{"role": "user", "content": "Hello"}]


def prompt(headers: dict[str, str] | None = None, **body: Any) -> Prompt:
    return Prompt({"model": "m", "messages": list(HELLO), **body}, headers or {})


NOT_COUNTS: list[Any] = [0, -1, 1.5, 2.0, "5", True, False, 2**63, 2**31 + 1, [], {}, float("nan")]
NOT_NAMES: list[Any] = [5, True, [], {}, "", "x" * (MOST_NAME + 1), "a\nb", "a\0", "a\u200b", "a\u202eb", "\x1b[31m"]
BAD: dict[str, list[Any]] = {
    "max_tokens": NOT_COUNTS,
    "max_completion_tokens": NOT_COUNTS,
    "n": [*NOT_COUNTS, MOST_CHOICES + 1, 10**6],
    "rag_top_k": [*NOT_COUNTS, 51],
    "model": NOT_NAMES,
    "session_id": NOT_NAMES,
    "rag_collection": NOT_NAMES,
    "stream": ["true", 1, 0, [], {}, ""],
    "messages": [None, [], {}, "hi", 5, True],
    "stream_options": [True, [], "x", 5],
}
REFUSED = [(field, value) for field, values in BAD.items() for value in values]


@pytest.mark.parametrize(("field", "value"), REFUSED)
def test_a_field_that_is_not_what_it_should_be_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(BadRequest) as told:
        prompt(**{field: value})
    assert field == told.value.param
    assert told.value.message.startswith(field)


@pytest.mark.parametrize("item", [None, "hi", 5, [], True])
def test_a_message_that_is_no_object_is_refused_by_its_place(item: Any) -> None:
    with pytest.raises(BadRequest) as told:
        prompt(messages=[*HELLO, item])
    assert told.value.param == "messages[1]"


ACCEPTED: list[tuple[str, Any]] = [
    ("max_tokens", 1),
    ("max_tokens", MOST_TOKENS),
    ("max_tokens", None),
    ("n", MOST_CHOICES),
    ("n", None),
    ("stream", None),
    ("stream", False),
    ("stream_options", None),
    ("stream_options", {}),
    ("temperature", "the upstream's to judge"),
    ("tools", 5),
    ("messages", HELLO * 100_000),
]


@pytest.mark.parametrize(("field", "value"), ACCEPTED)
def test_what_ailb_does_not_act_on_stays_as_it_is(field: str, value: Any) -> None:
    assert prompt(**{field: value}).body[field] == value


def test_ailbs_own_fields_are_taken_out() -> None:
    asked = prompt(session_id="s", rag_collection="docs", rag_top_k=7, user="u")
    assert ("s", "docs", 7) == (asked.session_id, asked.rag_collection, asked.rag_top_k)
    assert asked.body == {"model": "m", "messages": HELLO, "user": "u"}


def test_what_is_not_said_has_its_default() -> None:
    asked = prompt()
    expected = (None, None, 3, False, False, None, False)
    assert expected == (
        asked.session_id,
        asked.rag_collection,
        asked.rag_top_k,
        asked.stream,
        asked.wants_usage,
        asked.output_cap,
        asked.has_tools,
    )


@pytest.mark.parametrize(
    ("body", "headers", "model", "session"),
    [
        ({}, {"x-preferred-model": "other", "x-session-id": "h"}, "m", "h"),
        ({"model": None}, {"x-preferred-model": "other"}, "other", None),
        ({"model": None}, {}, "", None),
        ({"session_id": "b"}, {"x-session-id": "h"}, "m", "b"),
    ],
)
def test_headers_stand_in_for_fields(body: dict[str, Any], headers: dict[str, str], model: str, session: str | None) -> None:
    asked = prompt(headers, **body)
    assert (model, session) == (asked.model, asked.session_id)


@pytest.mark.parametrize("header", ["x-session-id", "x-preferred-model"])
def test_a_header_is_held_to_the_same_rules(header: str) -> None:
    with pytest.raises(BadRequest, match="printable"):
        prompt({header: "a\x9bb"}, model=None)


@pytest.mark.parametrize(("one", "other"), [(1, 50_000), (50_000, 1)])
def test_of_two_caps_the_larger_one_counts(one: int, other: int) -> None:
    """A provider may know either of them."""
    assert 50_000 == prompt(max_completion_tokens=one, max_tokens=other).output_cap


@pytest.mark.parametrize(
    ("body", "tokens", "caps", "cap"),
    [
        ({}, 10, {"max_tokens": 10}, 10),
        ({"max_tokens": 5}, 10, {"max_tokens": 5}, 5),
        ({"max_tokens": 50}, 10, {"max_tokens": 10}, 10),
        ({"max_completion_tokens": 50}, 10, {"max_completion_tokens": 10}, 10),
        ({"max_completion_tokens": 50, "max_tokens": 4}, 10, {"max_completion_tokens": 10, "max_tokens": 4}, 10),
        ({"max_completion_tokens": None, "max_tokens": None}, 10, {"max_completion_tokens": None, "max_tokens": 10}, 10),
    ],
)
def test_the_output_can_be_capped_and_never_raised(body: dict[str, Any], tokens: int, caps: dict[str, int], cap: int) -> None:
    asked = prompt(**body)
    asked.cap_output(tokens)
    assert caps == {name: value for name, value in asked.body.items() if name.startswith("max")}
    assert cap == asked.output_cap


@pytest.mark.parametrize(
    ("options", "wants"), [(None, False), ({}, False), ({"include_usage": False}, False), ({"include_usage": True}, True)]
)
def test_whether_the_client_wants_usage(options: Any, wants: bool) -> None:
    assert wants is prompt(stream=True, stream_options=options).wants_usage


@pytest.mark.parametrize(("body", "has"), [({}, False), ({"tools": []}, False), ({"tools": [{}]}, True), ({"functions": [{}]}, True)])
def test_whether_there_are_tools(body: dict[str, Any], has: bool) -> None:
    assert has is prompt(**body).has_tools


PARTS = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": 5}, "odd", {"type": "text", "text": "b"}]
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": PARTS},
    {"role": "assistant", "content": None},
    {"role": "tool", "content": "T"},
]


def test_all_texts_in_order() -> None:
    assert ["S", "a", "b", "T"] == list(prompt(messages=TALK).texts())


@pytest.mark.parametrize(
    ("messages", "question"),
    [
        (HELLO, "Hello"),
        (TALK, "a\nb"),
        ([{"role": "system", "content": "S"}], ""),
        ([{"role": "user", "content": None}], ""),
        ([*HELLO, {"role": "user", "content": "again"}, {"role": "assistant", "content": "x"}], "again"),
    ],
)
def test_the_question_is_what_the_user_said_last(messages: list[dict[str, Any]], question: str) -> None:
    assert question == prompt(messages=messages).question


def test_what_the_user_said_before_comes_after_what_he_said_last() -> None:
    talk = [*HELLO, {"role": "assistant", "content": "x"}, *TALK, {"role": "user", "content": None}]
    assert ["", "a\nb", "Hello"] == list(prompt(messages=talk).questions())


def roles(*names: str) -> list[dict[str, Any]]:
    return [{"role": name, "content": name} for name in names]


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (("user",), ("new", "user")),
        (("system", "user"), ("system", "new", "user")),
        (("system", "developer", "user", "system"), ("system", "developer", "new", "user", "system")),
        (("system",), ("system", "new")),
    ],
)
def test_where_messages_are_put_in(present: tuple[str, ...], expected: tuple[str, ...]) -> None:
    given = roles(*present)
    asked = prompt(messages=given)
    asked.inject(roles("new"))
    assert roles(*expected) == asked.body["messages"]
    assert roles(*present) == given


def test_what_is_put_in_joins_the_first_message_of_the_same_speaker() -> None:
    asked = prompt(messages=roles("system", "user", "user"))
    asked.inject(roles("assistant", "user"))
    joined = {"role": "user", "content": "user\n\nuser"}
    assert [*roles("system", "assistant"), joined, *roles("user")] == asked.body["messages"]


PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
TOLD = {"type": "text", "text": "told"}


@pytest.mark.parametrize(
    ("present", "place", "content"),
    [
        (roles("user"), 0, "told\n\nuser"),
        (roles("system", "user", "assistant", "user"), 3, "told\n\nuser"),
        (roles("user", "assistant", "tool", "tool"), 0, "told\n\nuser"),
        (roles("user", "user"), 1, "told\n\nuser"),
        (roles("user", "assistant"), 0, "told\n\nuser"),
        ([{"role": "user", "content": [PICTURE, {"type": "text", "text": "a"}]}], 0, [TOLD, PICTURE, {"type": "text", "text": "a"}]),
        ([{"role": "user", "content": []}], 0, [TOLD]),
        ([{"role": "user", "content": None}], 0, "told"),
        ([{"role": "user", "content": {"odd": 1}}], 0, [TOLD, {"odd": 1}]),
    ],
)
def test_what_is_told_stands_before_what_the_user_said_last(present: list[dict[str, Any]], place: int, content: Any) -> None:
    asked = prompt(messages=list(present))
    before = list(asked.questions())
    asked.tell("told")
    assert [*present[:place], {**present[place], "content": content}, *present[place + 1 :]] == asked.body["messages"]
    assert (present, before) == (asked.bare().body["messages"], list(asked.questions()))


@pytest.mark.parametrize("present", [roles("system"), roles("system", "assistant"), roles("tool")])
def test_where_the_user_said_nothing_it_is_a_message_of_its_own(present: list[dict[str, Any]]) -> None:
    asked = prompt(messages=list(present))
    asked.tell("told")
    asked.tell("more")
    own = {"role": "user", "content": "told\n\nmore"}
    at = 1 if present[0]["role"] == "system" else 0
    assert [*present[:at], own, *present[at:]] == asked.body["messages"]
    assert (present, []) == (asked.bare().body["messages"], list(asked.questions()))


def test_what_is_told_later_stands_behind_whatever_is_put_in_between() -> None:
    asked = prompt(messages=roles("user", "assistant", "tool"))
    asked.tell("a")
    asked.inject(roles("user", "assistant"))
    asked.tell("b")
    assert "a\n\nb\n\nuser" == asked.body["messages"][2]["content"]
    assert ["user", "user"] == list(asked.questions())
    assert asked.bare() is not asked
    assert prompt(messages=HELLO).bare().body == prompt(messages=HELLO).body
