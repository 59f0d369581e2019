"""Messages as turns."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.errors import BadRequest
from providers.anthropic_turns import conversation, tools_used, unsigned_loop

Json = dict[str, Any]

HI = {"role": "user", "content": "hi"}
MARK = {"type": "ephemeral"}
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "s"}


def text(*texts: str) -> list[Json]:
    return [{"type": "text", "text": one} for one in texts]


def calls(*ids: str, arguments: Any = "{}", **more: Any) -> Json:
    made = [{"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": made, **more}


def result(id: str, content: Any = "ok") -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content}


def use(id: str, input: Json | None = None) -> Json:
    return {"type": "tool_use", "id": id, "name": "f", "input": input or {}}


def answer(id: str, content: Any = "ok") -> Json:
    return {"type": "tool_result", "tool_use_id": id, "content": content}


def turns(*messages: Json) -> list[tuple[str, list[Json]]]:
    return [(turn["role"], turn["content"]) for turn in conversation(messages)[1]]


def test_system_and_developer_messages_become_system_wherever_they_stand() -> None:
    part = {"type": "text", "text": "b", "cache_control": MARK}
    system, said = conversation([{"role": "system", "content": "a"}, HI, {"role": "developer", "content": [part]}])
    assert [*text("a"), part] == system
    assert [{"role": "user", "content": text("hi")}] == said


def test_a_message_s_own_mark_is_kept() -> None:
    system, said = conversation([{"role": "system", "content": "a", "cache_control": MARK}, {**HI, "cache_control": MARK}])
    assert [{**text("a")[0], "cache_control": MARK}] == system
    assert [{**text("hi")[0], "cache_control": MARK}] == said[0]["content"]


def test_turns_alternate() -> None:
    bye = {"role": "assistant", "content": "bye"}
    assert [("user", text("hi", "hi")), ("assistant", text("bye", "bye")), ("user", text("hi"))] == turns(HI, HI, bye, bye, HI)


def test_parallel_results_are_one_user_turn_and_stand_first() -> None:
    said = turns(HI, calls("a", "b"), result("a"), HI, result("b"), HI)
    assert ("assistant", [use("a"), use("b")]) == said[1]
    assert ("user", [answer("a"), answer("b"), *text("hi", "hi")]) == said[2]


def test_results_may_have_parts_and_be_errors() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://a.example"}}
    image = {"type": "image", "source": {"type": "url", "url": "https://a.example"}}
    failed = {**result("a", ["x", picture]), "is_error": True, "cache_control": MARK}
    expected = {**answer("a", [*text("x"), image]), "is_error": True, "cache_control": MARK}
    assert ("user", [expected]) == turns(HI, calls("a"), failed)[-1]


@pytest.mark.parametrize(
    ("arguments", "input"),
    [
        ("", {}),
        (" ", {}),
        (None, {}),
        ("null", {}),
        ("{}", {}),
        ('{"a": {"b": [1.5, null]}}', {"a": {"b": [1.5, None]}}),
        ('{"id": 123456789012345678901234567890}', {"id": 123456789012345678901234567890}),
        ({"a": 1}, {"a": 1}),
        ('{"a', {"INVALID_JSON": '{"a'}),
        ("[1]", {"INVALID_JSON": "[1]"}),
        ('{"a": NaN}', {"INVALID_JSON": '{"a": NaN}'}),
    ],
)
def test_arguments_become_an_object(arguments: Any, input: Json) -> None:
    assert [use("a", input)] == turns(HI, calls("a", arguments=arguments))[-1][1]


def test_ids_fit_and_are_the_same_in_calls_and_results() -> None:
    said = turns(HI, calls("functions.f:0", "functions_f_0", ""), result("functions_f_0"), result(""), result("functions.f:0"))
    assert [use("functions_f_0"), use("functions_f_0_2"), use("call")] == said[1][1]
    assert [answer("functions_f_0_2"), answer("call"), answer("functions_f_0")] == said[2][1]


def test_ids_that_begin_anew_in_each_turn_are_told_apart() -> None:
    said = turns(HI, calls("call_0"), result("call_0", "x"), calls("call_0", "call_0"), result("call_0", "y"), result("call_0", "z"))
    assert [use("call_0")] == said[1][1]
    assert [use("call_0_2"), use("call_0_3")] == said[3][1]
    assert [answer("call_0_2", "y"), answer("call_0_3", "z")] == said[4][1]


def test_functions_of_old_clients() -> None:
    call = {"role": "assistant", "function_call": {"name": "f", "arguments": '{"a":1}'}}
    said = turns(HI, call, {"role": "function", "name": "f", "content": "ok"})
    assert [("assistant", [use("f", {"a": 1})]), ("user", [answer("f")])] == said[1:]


def test_thinking_goes_back_in_front_and_unsigned_thinking_stays_here() -> None:
    redacted = {"type": "redacted_thinking", "data": "x"}
    foreign = {"type": "thinking", "thinking": "mine"}
    said = turns(
        HI, calls("a", content="so", thinking_blocks=[{**SIGNED, "index": 0}, foreign, redacted, 7], reasoning_content="hm"), result("a")
    )
    assert [SIGNED, redacted, *text("so"), use("a")] == said[1][1]


def test_a_refusal_was_said_too() -> None:
    assert ("assistant", text("no")) == turns(HI, {"role": "assistant", "content": None, "refusal": "no"})[-1]


def test_a_prefill_does_not_end_with_a_space() -> None:
    assert ("assistant", text("Once ", "upon")) == turns(HI, {"role": "assistant", "content": ["Once ", "upon \n"]})[-1]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "critic", "content": "a"}], "messages[0].role"),
        ([{"content": "a"}], "messages[0].role"),
        ([{"role": "user", "content": {"a": 1}}], "messages[0].content"),
        ([{"role": "system", "content": "a"}], "messages"),
        ([{"role": "user", "content": ""}], "messages"),
        ([HI, result("a")], "messages[1].tool_call_id"),
        ([HI, calls("a"), result("a"), result("a")], "messages[3].tool_call_id"),
        ([HI, calls("a"), HI, {"role": "assistant", "content": "b"}, result("a")], "messages[4].tool_call_id"),
        ([HI, {"role": "function", "name": "f", "content": "a"}], "messages[1].name"),
        ([HI, {"role": "assistant", "tool_calls": [{}]}], "messages[1].tool_calls[0]"),
        ([HI, {"role": "assistant", "tool_calls": "x"}], "messages[1].tool_calls"),
    ],
)
def test_what_cannot_be_said_is_named(messages: list[Json], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        conversation(messages)
    assert param == refused.value.param


@pytest.mark.parametrize(
    ("messages", "unsigned"),
    [
        ([HI], False),
        ([HI, calls("a"), result("a")], True),
        ([HI, calls("a", thinking_blocks=[SIGNED]), result("a")], False),
        ([HI, calls("a", thinking_blocks=[SIGNED]), result("a"), calls("b"), result("b")], False),
        ([HI, calls("a"), result("a"), {"role": "assistant", "content": "done"}, HI], False),
        ([HI, calls("a", thinking_blocks=[SIGNED]), result("a"), {"role": "assistant", "content": "x"}, HI, calls("b"), result("b")], True),
    ],
)
def test_a_loop_of_calls_is_signed_by_any_of_its_turns(messages: list[Json], unsigned: bool) -> None:
    assert unsigned == unsigned_loop(conversation(messages)[1])


def test_the_tools_that_were_used() -> None:
    assert tools_used(conversation([HI, calls("a", "b"), result("a"), result("b")])[1]) == ["f"]


@st.composite
def conversations(draw: st.DrawFn) -> list[Json]:
    """Any chat that OpenAI would take: each call is answered before the assistant speaks again."""
    messages: list[Json] = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["system", "user", "assistant", "calls"]))
        if kind != "calls":
            messages.append({"role": kind, "content": draw(st.text() | st.lists(st.text(), max_size=3))})
            continue
        ids = draw(st.lists(st.text(max_size=4), min_size=1, max_size=3))
        said = draw(st.none() | st.text())
        messages.append(calls(*ids, content=said, arguments=draw(st.text() | st.just('{"a":1}'))))
        messages += [result(id, draw(st.text())) for id in draw(st.permutations(ids))]
    return [HI, *messages]


@given(conversations())
def test_nothing_is_lost_and_every_result_follows_its_call(messages: list[Json]) -> None:
    system, said = conversation(messages)
    told = [block["text"] for block in system]
    asked: list[str] = []
    for turn in said:
        told += [block["text"] for block in turn["content"] if block["type"] == "text"]
        answered = [block["tool_use_id"] for block in turn["content"] if block["type"] == "tool_result"]
        assert turn["role"] == "user" or not answered
        assert sorted(answered) == sorted(asked if turn["role"] == "user" else [])
        asked = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
    contents = [message["content"] for message in messages if message["role"] != "tool"]
    given = [part for content in contents for part in ([content] if isinstance(content, str) else content or [])]
    assert sorted(part.rstrip() for part in given if part.strip()) == sorted(part.rstrip() for part in told)
    assert ["user", "assistant"] * (len(said) // 2) + ["user"] * (len(said) % 2) == [turn["role"] for turn in said]
    assert sum(len(m.get("tool_calls", ())) for m in messages) == sum(b["type"] == "tool_use" for turn in said for b in turn["content"])
