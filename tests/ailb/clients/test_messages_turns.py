"""Turns as chat messages."""

from typing import Any

import pytest

from ailb.clients.messages_turns import conversation
from ailb.errors import BadRequest
from tests.ailb.clients.chats import Json, call
from tests.ailb.clients.test_messages_blocks import LINK, image, text

SIGNED = {"type": "thinking", "thinking": "hm", "signature": "s"}
REDACTED = {"type": "redacted_thinking", "data": "x"}
PICTURE = {"type": "image", "source": LINK}


def user(*content: Any) -> Json:
    return {"role": "user", "content": list(content)}


def assistant(*content: Any) -> Json:
    return {"role": "assistant", "content": list(content)}


def use(id: str, **input: Any) -> Json:
    return {"type": "tool_use", "id": id, "name": "f", "input": input}


def answer(id: str, content: Any = "ok", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **more}


def tool(id: str, content: str = "ok") -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content}


def said(*messages: Json, system: Any = None) -> list[Json]:
    return conversation({"messages": messages, "system": system})


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("a", [{"role": "system", "content": "a"}]),
        ([{**text("a"), "cache_control": {"type": "ephemeral"}}, text("b")], [{"role": "system", "content": "a\n\nb"}]),
    ],
)
def test_system(system: Any, expected: list[Json]) -> None:
    assert [*expected, {"role": "user", "content": "hi"}] == said(user(text("hi")), system=system)


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        ({"role": "user", "content": "hi"}, [{"role": "user", "content": "hi"}]),
        (user(), [{"role": "user", "content": ""}]),
        (user(text("a"), PICTURE), [{"role": "user", "content": [text("a"), image(LINK["url"])]}]),
        ({"role": "system", "content": "s"}, [{"role": "system", "content": "s"}]),
        ({"role": "assistant", "content": "so"}, [{"role": "assistant", "content": "so"}]),
        (assistant(), [{"role": "assistant", "content": ""}]),
        (assistant(text("a"), text("b")), [{"role": "assistant", "content": "ab"}]),
    ],
)
def test_turns(turn: Json, expected: list[Json]) -> None:
    assert expected == said(turn)


def test_calls_and_their_results() -> None:
    turns = said(assistant(text("so"), use("a", x=1), use("b")), user(answer("a"), answer("b", [text("x"), text("y")]), text("go on")))
    assert {"role": "assistant", "content": "so", "tool_calls": [call("a", "f", '{"x":1}'), call("b", "f")]} == turns[0]
    assert [tool("a"), tool("b", "x\n\ny"), {"role": "user", "content": "go on"}] == turns[1:]


def test_calls_without_words_have_null_content() -> None:
    assert [{"role": "assistant", "content": None, "tool_calls": [call("a", "f")]}] == said(assistant(use("a")))


def test_results_alone_are_no_user_message() -> None:
    assert [tool("a")] == said(user(answer("a")))


@pytest.mark.parametrize(
    ("result", "content"),
    [
        (answer("a", "gone", is_error=True), "Error: gone"),
        (answer("a", "Error: gone", is_error=True), "Error: gone"),
        (answer("a", "error 5", is_error=True), "error 5"),
        (answer("a", None, is_error=True), "Error: "),
        (answer("a", "fine", is_error=False), "fine"),
        (answer("a", None), ""),
        ({"type": "tool_result", "tool_use_id": "a"}, ""),
        (answer("a", []), ""),
    ],
)
def test_what_a_tool_answered(result: Json, content: str) -> None:
    assert [tool("a", content)] == said(user(result))


def test_pictures_in_a_result_are_shown_by_the_user() -> None:
    shown = [text("From the result of tool call a:"), image(LINK["url"]), text("go on")]
    assert [tool("a", "see"), {"role": "user", "content": shown}] == said(user(answer("a", [text("see"), PICTURE]), text("go on")))


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([SIGNED], {"reasoning_content": "hm", "thinking_blocks": [SIGNED]}),
        ([{**SIGNED, "signature": ""}], {"reasoning_content": "hm"}),
        ([REDACTED], {"thinking_blocks": [REDACTED]}),
        ([SIGNED, REDACTED, SIGNED], {"reasoning_content": "hmhm", "thinking_blocks": [SIGNED, REDACTED, SIGNED]}),
    ],
)
def test_thinking(blocks: list[Json], expected: Json) -> None:
    assert [{"role": "assistant", "content": "so", **expected}] == said(assistant(*blocks, text("so")))


def test_what_a_server_s_tool_did_is_left_out() -> None:
    server = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    assert [{"role": "assistant", "content": "ab"}] == said(assistant(text("a"), server, found, text("b")))


@pytest.mark.parametrize(
    ("turn", "param"),
    [
        ({"role": "tool", "content": "x"}, "messages[0].role"),
        ({"content": "x"}, "messages[0].role"),
        ({"role": "user", "content": 7}, "messages[0].content"),
        (user({"type": "x"}), "messages[0].content[0].type"),
        (user({"type": "tool_result"}), "messages[0].content[0].tool_use_id"),
        (user(answer("a", [{"type": "x"}])), "messages[0].content[0].content[0].type"),
        (assistant({"type": "compaction"}), "messages[0].content[0].type"),
        (assistant(answer("a")), "messages[0].content[0].type"),
        (assistant({"type": "tool_use", "name": "f", "input": {}}), "messages[0].content[0].id"),
        (assistant({"type": "tool_use", "id": "a", "input": {}}), "messages[0].content[0].name"),
        (assistant({"type": "tool_use", "id": "a", "name": "f", "input": "x"}), "messages[0].content[0].input"),
        (assistant({"type": "thinking"}), "messages[0].content[0].thinking"),
    ],
)
def test_what_cannot_be_said_is_named(turn: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        said(turn)
    assert param == refused.value.param
