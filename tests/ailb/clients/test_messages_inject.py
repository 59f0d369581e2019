"""Chat messages in Anthropic's conversation."""

from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.clients.messages_inject import injected, said_last
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


def after(body: Json, *messages: Json) -> Json:
    return injected(body, messages)


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
    ("present", "messages", "expected"),
    [
        ([HI], [chat("user", "a"), chat("assistant", "b")], [user("a"), assistant(text("b")), HI]),
        ([HI], [chat("user", "a")], [user("a", "hi")]),
        ([SO, HI], [chat("user", "a"), chat("assistant", "b")], [user("a"), assistant(text("b"), text("so")), HI]),
        ([HI, HI], [chat("user", "a"), chat("user", "b")], [user("a", "b", "hi"), HI]),
    ],
)
def test_turns_alternate(present: list[Json], messages: list[Json], expected: list[Json]) -> None:
    assert {"messages": expected} == after({"messages": present}, *messages)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("hi", [text("hi")]),
        ("", []),
        (None, []),
        ([text("a"), text("b")], [text("a"), text("b")]),
        ([answer("u", "r")], []),
        ([answer("u", "r"), answer("v", "s"), text("b")], [text("b")]),
        ([text("a"), answer("u", "r"), text("b")], [text("b")]),
    ],
)
def test_what_is_said_behind_the_results_of_tools(content: Any, said: list[Json]) -> None:
    assert said == said_last({"role": "user", "content": content})


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


@given(conversations(), MESSAGES)
def test_the_conversation_stays_legal_and_has_all_of_it(present: list[Json], messages: list[Json]) -> None:
    body = {"messages": present}
    before = deepcopy(body)
    made = after(body, *messages)
    turns = made["messages"]
    assert before == body
    assert turns[0]["role"] == "user"
    assert all(one["role"] != other["role"] for one, other in pairwise(turns))
    blocks = [[text(t["content"])] if isinstance(t["content"], str) else t["content"] for t in turns]
    for one, other in pairwise(blocks):
        assert [b["id"] for b in one if b["type"] == "tool_use"] == [b["tool_use_id"] for b in other if b["type"] == "tool_result"]
    told = [block for content in blocks for block in content] + made.get("system", [])
    assert all(text(message["content"]) in told for message in messages)
