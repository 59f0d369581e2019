"""Chat messages in Anthropic's conversation."""

from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.clients.messages_inject import injected
from tests.ailb.clients.chats import Json
from tests.ailb.clients.test_messages_blocks import text
from tests.ailb.clients.test_messages_turns import answer, assistant, use
from tests.ailb.clients.test_messages_turns import user as turn

HI: Json = {"role": "user", "content": "hi"}
SO: Json = {"role": "assistant", "content": "so"}


def chat(role: str, content: Any) -> Json:
    return {"role": role, "content": content}


def user(*texts: str) -> Json:
    return turn(*map(text, texts))


def after(body: Json, *messages: Json, last: bool = False) -> Json:
    return injected(body, messages, before_last=last)


@pytest.mark.parametrize(
    ("system", "expected"),
    [(None, []), ("", []), ("be kind", [text("be kind")]), ([{**text("a"), "cache_control": {}}], [{**text("a"), "cache_control": {}}])],
)
def test_system_messages_go_behind_the_system_text(system: Any, expected: list[Json]) -> None:
    body = {"messages": [HI], **({} if system is None else {"system": system})}
    made = after(body, chat("system", "facts"), chat("developer", [text("more")]))
    assert {"messages": [HI], "system": [*expected, text("facts"), text("more")]} == made


@pytest.mark.parametrize("content", [None, "", " ", [], [text("")], [{"type": "image_url"}]])
def test_what_has_no_text_is_left_out(content: Any) -> None:
    assert {"messages": [HI]} == after({"messages": [HI]}, chat("user", content), chat("system", content), chat("tool", "x"))


@pytest.mark.parametrize(
    ("present", "messages", "last", "expected"),
    [
        ([HI], [chat("user", "a"), chat("assistant", "b")], False, [user("a"), assistant(text("b")), HI]),
        ([HI], [chat("user", "a")], False, [user("a", "hi")]),
        ([HI], [chat("user", "a")], True, [user("a", "hi")]),
        ([HI, SO, HI], [chat("user", "a")], True, [HI, SO, user("a", "hi")]),
        ([HI, SO, HI], [chat("assistant", "b"), chat("user", "a")], True, [HI, assistant(text("so"), text("b")), user("a", "hi")]),
        ([HI, SO], [chat("user", "a")], True, [user("hi", "a"), SO]),
    ],
)
def test_turns_alternate(present: list[Json], messages: list[Json], last: bool, expected: list[Json]) -> None:
    assert {"messages": expected} == after({"messages": present}, *messages, last=last)


def test_a_round_of_tools_is_one_in_anthropics_words() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    calls = [
        {"id": id, "type": "function", "function": {"name": "f", "arguments": given}} for id, given in (("a b", '{"x": 1}'), ("c", "?"))
    ]
    asked = {
        "role": "assistant",
        "content": "Let me see.",
        "thinking_blocks": [thought, {"type": "thinking", "thinking": "unsigned"}],
        "tool_calls": calls,
    }
    results = [{"role": "tool", "tool_call_id": "a b", "content": "1"}, {"role": "tool", "tool_call_id": "c", "content": ""}]
    uses = [{"type": "tool_use", "id": id, "name": "f", "input": input} for id, input in (("a_b", {"x": 1}), ("c", {}))]
    told = [{"type": "tool_result", "tool_use_id": id, "content": said} for id, said in (("a_b", [text("1")]), ("c", []))]
    expected = [user("q"), assistant(thought, text("Let me see."), *uses), turn(*told), assistant(text("b")), HI]
    assert {"messages": expected} == after({"messages": [HI]}, chat("user", "q"), asked, *results, chat("assistant", "b"))
    open = [user("q"), assistant(thought, text("Let me see."), *uses), turn(*told)]
    assert {"messages": open} == after({"messages": [turn(*told)]}, chat("user", "q"), asked)


def test_the_last_question_is_what_the_tools_were_called_for() -> None:
    loop = [assistant(use("a")), turn(answer("a")), assistant(use("b")), turn(answer("b"))]
    assert {"messages": [HI, SO, user("x", "hi"), *loop]} == after({"messages": [HI, SO, HI, *loop]}, chat("user", "x"), last=True)
    assert {"messages": [user("x", "hi"), *loop]} == after({"messages": [HI, *loop]}, chat("user", "x"), last=True)


def test_an_assistant_who_speaks_first_is_told_as_system_text() -> None:
    made = after({"messages": [HI]}, chat("assistant", "b"), chat("user", "a"), chat("assistant", "c"))
    assert {"messages": [user("a"), assistant(text("c")), HI], "system": [text("b")]} == made


@st.composite
def conversations(draw: st.DrawFn) -> list[Json]:
    """What Anthropic takes."""
    turns: list[Json] = [HI]
    for number in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            turns += [assistant(text("x"), use(str(number))), turn(answer(str(number)))]
        else:
            turns += [SO, HI]
    return turns + draw(st.sampled_from([[], [SO]]))


ROLES = st.sampled_from(["system", "developer", "user", "assistant"])
MESSAGES = st.lists(st.builds(chat, ROLES, st.text(min_size=1).filter(str.strip)), max_size=5)


@given(conversations(), MESSAGES, st.booleans())
def test_the_conversation_stays_legal_and_has_all_of_it(present: list[Json], messages: list[Json], last: bool) -> None:
    body = {"messages": present}
    before = deepcopy(body)
    made = after(body, *messages, last=last)
    turns = made["messages"]
    assert before == body
    assert turns[0]["role"] == "user"
    assert all(one["role"] != other["role"] for one, other in pairwise(turns))
    blocks = [[text(t["content"])] if isinstance(t["content"], str) else t["content"] for t in turns]
    for one, other in pairwise(blocks):
        assert [b["id"] for b in one if b["type"] == "tool_use"] == [b["tool_use_id"] for b in other if b["type"] == "tool_result"]
    told = [block for content in blocks for block in content] + made.get("system", [])
    assert all(text(message["content"]) in told for message in messages)
