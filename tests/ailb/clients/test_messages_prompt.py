"""A Messages request, as the layers see it."""

from typing import Any

import pytest

from ailb.clients.messages_prompt import MessagesPrompt
from ailb.errors import BadRequest
from tests.ailb.clients.chats import BODY, Json
from tests.ailb.clients.test_messages_blocks import text
from tests.ailb.clients.test_messages_turns import PICTURE, answer, assistant, use
from tests.ailb.clients.test_messages_turns import user as turn

SERVER_TOOL = {"type": "web_search_20250305", "name": "web_search"}


def prompt(headers: dict[str, str] | None = None, **more: Any) -> MessagesPrompt:
    return MessagesPrompt({**BODY, **more}, headers or {})


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"system": 7}, "system"),
        ({"system": ["be kind"]}, "system[0]"),
        ({"tools": {}}, "tools"),
        ({"tools": [1]}, "tools[0]"),
        ({"stream": "yes"}, "stream"),
        ({"model": 7}, "model"),
        ({"rag_top_k": 51}, "rag_top_k"),
    ],
)
def test_what_the_gateway_acts_on_is_checked(more: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        prompt(**more)
    assert param == refused.value.param


def test_the_body_stays_anthropic_s_own() -> None:
    odd: Json = {"system": [text("a")], "tools": [SERVER_TOOL], "thinking": {"type": "auto"}, "new": [None, 0], "stream": False}
    own: Json = {"session_id": "s", "rag_collection": "docs", "rag_top_k": 5}
    seen = prompt(None, **odd, **own)
    assert {**BODY, **odd} == seen.body
    assert ("messages", "m", False) == (seen.dialect, seen.model, seen.stream)
    assert own == {field: getattr(seen, field) for field in own}


def test_headers_stand_in() -> None:
    seen = prompt({"x-session-id": "s", "x-preferred-model": "p"}, model=None)
    assert ("s", "p") == (seen.session_id, seen.model)


def test_what_only_anthropic_has_is_refused_by_the_translation_alone() -> None:
    seen = prompt(tools=[SERVER_TOOL], messages=[turn({"type": "container_upload", "file_id": "f"}, text("hi"))])
    assert (["hi"], "hi", True) == (list(seen.texts()), seen.question, seen.has_tools)
    with pytest.raises(BadRequest, match="container_upload"):
        seen.chat()


def test_the_translation_is_made_once_until_something_changes() -> None:
    seen = prompt()
    first = seen.chat()
    assert first is seen.chat()
    seen.cap_output(9)
    assert seen.chat()["max_tokens"] == 9
    seen.inject([{"role": "system", "content": "facts"}])
    assert {"role": "system", "content": "facts"} == seen.chat()["messages"][0]
    assert first["max_tokens"] == 50


def test_usage_and_tools() -> None:
    assert (True, False) == (prompt(stream=True).wants_usage, prompt(tools=[]).has_tools)


@pytest.mark.parametrize(
    ("more", "tokens", "expected"),
    [
        ({}, 9, {"max_tokens": 9}),
        ({}, 99, {"max_tokens": 50}),
        (
            {"max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 4000}},
            4500,
            {"max_tokens": 4500, "thinking": {"type": "enabled", "budget_tokens": 4000}},
        ),
        (
            {"max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 4000}},
            2000,
            {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1999}},
        ),
        (
            {"max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 4000}},
            1024,
            {"max_tokens": 1024, "thinking": {"type": "disabled"}},
        ),
        ({"thinking": {"type": "adaptive"}}, 9, {"max_tokens": 9, "thinking": {"type": "adaptive"}}),
        ({"thinking": "much"}, 9, {"max_tokens": 9, "thinking": "much"}),
    ],
)
def test_the_cap(more: Json, tokens: int, expected: Json) -> None:
    seen = prompt(**more)
    assert more.get("max_tokens", 50) == seen.output_cap
    seen.cap_output(tokens)
    assert {**BODY, **expected} == seen.body
    assert expected["max_tokens"] == seen.output_cap


def test_all_text_is_counted() -> None:
    document = {"type": "document", "source": {"type": "text", "data": "e"}}
    pages = {"type": "document", "source": {"type": "content", "content": [text("f")]}}
    messages = [turn(text("b"), PICTURE, document, pages), assistant(text("c"), use("u")), turn(answer("u", [text("d")]), answer("v", "g"))]
    assert ["a", "b", "e", "f", "c", "d", "g"] == list(prompt(system="a", messages=messages).texts())
    assert ["a", "hi"] == list(prompt(system=[text("a"), PICTURE]).texts())


@pytest.mark.parametrize(
    ("messages", "question"),
    [
        ([{"role": "user", "content": "a"}, assistant(text("b"))], "a"),
        ([turn(text("a"), PICTURE, text("b"))], "a\nb"),
        ([turn(text("a")), assistant(use("u")), turn(answer("u", "r"))], "a"),
        ([turn(text("a")), assistant(use("u")), turn(answer("u", "r"), text("b"))], "b"),
        ([turn(text("a")), assistant(text("b")), turn(PICTURE)], ""),
        ([assistant(text("b"))], ""),
    ],
)
def test_the_question(messages: list[Json], question: str) -> None:
    assert question == prompt(messages=messages).question


def test_what_the_user_said_before_comes_after_what_he_said_last() -> None:
    messages = [turn(text("a")), assistant(use("u")), turn(answer("u", "r")), assistant(text("b")), {"role": "user", "content": "c"}]
    assert ["c", "a"] == list(prompt(messages=messages).questions())


RESULTS = turn(answer("u", "r"))


@pytest.mark.parametrize(
    ("messages", "place", "content"),
    [
        ([{"role": "user", "content": "a"}], 0, [text("told"), text("a")]),
        ([turn(PICTURE, text("a")), assistant(text("b"))], 0, [text("told"), PICTURE, text("a")]),
        ([turn(text("a")), assistant(use("u")), RESULTS], 0, [text("told"), text("a")]),
        ([turn(text("a")), assistant(use("u")), turn(answer("u", "r"), text("b"))], 2, [answer("u", "r"), text("told"), text("b")]),
        ([RESULTS], 0, [answer("u", "r"), text("told")]),
    ],
)
def test_what_is_told_stands_before_the_question_and_behind_the_results_of_tools(messages: list[Json], place: int, content: Any) -> None:
    seen = prompt(messages=list(messages))
    before = list(seen.questions())
    seen.tell("told")
    assert [*messages[:place], {**messages[place], "content": content}, *messages[place + 1 :]] == seen.body["messages"]
    assert (before, messages) == (list(seen.questions()), seen.bare().body["messages"])
    assert ["told"] == [told for told in seen.texts() if told == "told"]


def test_what_is_told_where_the_user_said_nothing() -> None:
    seen = prompt(messages=[assistant(text("b"))])
    seen.tell("told")
    seen.inject([{"role": "user", "content": "a"}, {"role": "assistant", "content": "so"}])
    seen.tell("more")
    assert [["a"], ["so"], ["told", "more"], ["b"]] == [
        [block["text"] for block in message["content"]] for message in seen.body["messages"]
    ]
    assert ["a"] == list(seen.questions())
