"""A native request of Ollama's, as the layers see it."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.clients.ollama_prompt import OllamaPrompt
from ailb.errors import BadRequest

Json = dict[str, Any]
HI: Json = {"role": "user", "content": "hi"}


def prompt(**body: Any) -> OllamaPrompt:
    return OllamaPrompt({"model": "m", "messages": [HI], **body}, {})


@pytest.mark.parametrize(
    ("given", "expected"), [({}, True), ({"stream": None}, True), ({"stream": True}, True), ({"stream": False}, False)]
)
def test_it_streams_unless_told_not_to(given: Json, expected: bool) -> None:
    assert (expected, expected) == (prompt(**given).stream, prompt(**given).chat().get("stream", False))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"stream": "yes"}, "stream"),
        ({"options": [1]}, "options"),
        ({"options": {"num_predict": "5"}}, "options.num_predict"),
        ({"options": {"num_predict": 1.5}}, "options.num_predict"),
        ({"options": {"num_predict": True}}, "options.num_predict"),
        ({"options": {"num_predict": -3}}, "options.num_predict"),
        ({"options": {"num_predict": 1 << 40}}, "options.num_predict"),
        ({"model": 5}, "model"),
        ({"session_id": ""}, "session_id"),
    ],
)
def test_what_the_gateway_acts_on_is_checked(body: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        prompt(**body)
    assert param == refused.value.param


def test_ailbs_own_fields_are_taken_out() -> None:
    made = OllamaPrompt({"messages": [HI], "session_id": "s", "rag_top_k": 4}, {"x-preferred-model": "p"})
    assert ({"messages": [HI]}, "s", 4, "p") == (made.body, made.session_id, made.rag_top_k, made.model)


@pytest.mark.parametrize(
    ("options", "cap", "capped"),
    [
        (None, None, 10),
        ({}, None, 10),
        ({"num_predict": None}, None, 10),
        ({"num_predict": -1}, None, 10),
        ({"num_predict": -2}, None, 10),
        ({"num_predict": 0}, None, 10),
        ({"num_predict": 4}, 4, 4),
        ({"num_predict": 40}, 40, 10),
    ],
)
def test_the_output_cap(options: Any, cap: int | None, capped: int) -> None:
    given = {**(options or {}), "seed": 1}
    made = prompt(options={**given}) if options is not None else prompt(options=None)
    assert cap == made.output_cap
    assert cap == made.chat().get("max_tokens")
    made.cap_output(10)
    assert (capped, capped, capped) == (made.output_cap, made.chat()["max_tokens"], made.body["options"]["num_predict"])
    assert (options is None) or made.body["options"]["seed"] == 1


def test_capping_does_not_reach_into_the_clients_options() -> None:
    options = {"num_predict": 50}
    prompt(options=options).cap_output(1)
    assert {"num_predict": 50} == options


def test_what_the_layers_read() -> None:
    calls = [{"function": {"name": "f", "arguments": {}}}]
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "what?", "images": ["AAAA"]},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "5", "tool_name": "f"},
    ]
    made = prompt(messages=messages, tools=[{"function": {"name": "f"}}])
    assert (["s", "what?", "", "5"], "what?") == (list(made.texts()), made.question)
    assert (True, True, False) == (made.wants_usage, made.has_tools, prompt().has_tools)


def test_messages_are_injected_as_ollamas() -> None:
    made = prompt(messages=[{"role": "system", "content": "s"}, {"role": "assistant", "content": "a"}, HI])
    assert 3 == len(made.chat()["messages"])
    made.inject([{"role": "user", "content": [{"type": "text", "text": "m"}]}])
    assert ["s", "m", "a", "hi"] == [message["content"] for message in made.body["messages"]]
    assert ["s", "m", "a", "hi"] == [message["content"] for message in made.chat()["messages"]]


def test_injected_developers_are_systems_and_nothing_is_said_twice_in_a_row() -> None:
    made = prompt(messages=[{"role": "user", "content": "a", "images": ["AAAA"]}, HI])
    made.inject([{"role": "developer", "content": "d"}, {"role": "assistant", "content": None}, HI])
    first, second, third, last = made.body["messages"]
    assert ({"role": "system", "content": "d"}, {"role": "assistant", "content": ""}, HI) == (first, second, last)
    assert {"role": "user", "content": "hi\n\na", "images": ["AAAA"]} == third


def test_what_is_told_stands_before_the_question_and_is_none() -> None:
    question = {"role": "user", "content": "what?", "images": ["AAAA"]}
    calls = [{"role": "assistant", "content": "", "tool_calls": []}, {"role": "tool", "content": "5"}]
    made = prompt(messages=[HI, question, *calls])
    assert "what?" == made.question
    made.tell("told")
    assert [HI, {**question, "content": "told\n\nwhat?"}, *calls] == made.body["messages"]
    text, picture = made.chat()["messages"][1]["content"]
    assert ("told\n\nwhat?", "image_url") == (text["text"], picture["type"])
    assert (["what?", "hi"], [HI, question, *calls]) == (list(made.questions()), made.bare().body["messages"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["function", "name", "arguments", "id", "stop", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
MESSAGE = st.dictionaries(
    st.sampled_from(["role", "content", "images", "thinking", "tool_calls", "tool_name", "tool_call_id", "name"]),
    JSON | st.sampled_from(["tool", "user", "assistant"]),
)
FIELDS = ("options", "tools", "format", "think", "keep_alive", "stream", "session_id", "new")


@given(messages=st.lists(MESSAGE, min_size=1, max_size=4), more=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
def test_any_request_that_was_let_in_can_be_told_as_a_chat_completion(messages: list[Json], more: Json) -> None:
    try:
        made = prompt(messages=messages, **more)
    except BadRequest:
        return
    before = deepcopy(made.body)
    told = made.chat()
    list(made.texts())
    assert len(messages) == len(told["messages"])
    assert isinstance(made.question, str)
    assert before == made.body
