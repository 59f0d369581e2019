"""Chat completion requests as Ollama's."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Target
from ailb.errors import BadRequest, Refusal
from ailb.prompt import Prompt
from providers.ollama import Ollama
from tests.providers.ollama_wire import Json, prompt

TARGET = Target("local", "x")
F: Json = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
G: Json = {"function": {"name": "g"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def sent(**body: Any) -> Json:
    made: Json = json.loads(Ollama().request(prompt(**body), TARGET).body)
    return {name: value for name, value in made.items() if name not in ("model", "messages", "stream")}


def options(**body: Any) -> Json:
    made: Json = sent(**body)["options"]
    return made


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {}),
        ({"user": "u", "store": True, "metadata": {}, "logit_bias": {"1": 2}, "parallel_tool_calls": False, "new": 1, "n": 1}, {}),
        ({"temperature": None, "stop": None, "tools": None, "response_format": None, "logprobs": False, "top_logprobs": 0}, {}),
        ({"keep_alive": -1}, {"keep_alive": -1}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"format": "json"}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}}, {"format": SCHEMA}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}}, {"format": "json"}),
        ({"format": SCHEMA}, {"format": SCHEMA}),
        ({"format": SCHEMA, "response_format": {"type": "json_object"}}, {"format": "json"}),
        ({"reasoning_effort": "none"}, {"think": False}),
        ({"reasoning_effort": "minimal"}, {"think": "low"}),
        ({"reasoning_effort": "medium"}, {"think": "medium"}),
        ({"reasoning_effort": "xhigh"}, {"think": "high"}),
        ({"reasoning_effort": "high", "think": False}, {"think": False}),
        ({"think": True}, {"think": True}),
        ({"tools": []}, {}),
        ({"tools": [F, G]}, {"tools": [F, G]}),
        ({"tools": [F, G], "tool_choice": "auto"}, {"tools": [F, G]}),
        ({"tools": [F, G], "tool_choice": "required"}, {"tools": [F, G]}),
        ({"tools": [F, G], "tool_choice": "none"}, {}),
        ({"tools": [F, G], "tool_choice": {"type": "function", "function": {"name": "g"}}}, {"tools": [G]}),
        ({"tools": [F, G], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [F]}}}, {"tools": [F]}),
    ],
)
def test_fields(body: Json, expected: Json) -> None:
    assert expected == sent(**body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"temperature": 0, "top_p": 0.5, "seed": 7, "top_k": 3, "min_p": 0.1},
            {"temperature": 0, "top_p": 0.5, "seed": 7, "top_k": 3, "min_p": 0.1},
        ),
        ({"presence_penalty": -1, "frequency_penalty": 2}, {"presence_penalty": -1, "frequency_penalty": 2}),
        ({"stop": "a"}, {"stop": ["a"]}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"max_tokens": 5}, {"num_predict": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 4}, {"num_predict": 4}),
        ({"options": {"num_ctx": 9, "num_predict": -1, "seed": 1}, "max_tokens": 5}, {"num_ctx": 9, "num_predict": 5, "seed": 1}),
        ({"options": {"temperature": 1}, "temperature": 0}, {"temperature": 0}),
    ],
)
def test_options(body: Json, expected: Json) -> None:
    assert expected == options(**body)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"web_search_options": {"x": 1}}, "web_search_options"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        ({"tools": {"f": 1}}, "tools"),
        ({"tools": ["f"]}, "tools[0].type"),
        ({"tools": [F, {"type": "custom", "custom": {"name": "c"}}]}, "tools[1].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [F], "tool_choice": {"type": "function", "function": {"name": "z"}}}, "tool_choice"),
        ({"response_format": "json"}, "response_format.type"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema", "schema": {}}}, "response_format.json_schema.schema"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning_effort": ["low"]}, "reasoning_effort"),
        ({"options": [1]}, "options"),
    ],
)
def test_what_ollama_has_no_word_for_is_refused_by_name(body: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        sent(**body)
    assert param == refused.value.param
    assert param.split(".")[0] in refused.value.message


@pytest.mark.parametrize(("given", "expected"), [({}, False), ({"stream": False}, False), ({"stream": True}, True)])
def test_stream_is_always_said(given: Json, expected: bool) -> None:
    assert expected is json.loads(Ollama().request(prompt(**given), TARGET).body)["stream"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "function", "name", "tools", "text", "url", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "refusal", "file"]) | JSON},
    optional={"text": st.text() | JSON, "image_url": JSON | st.just({"url": "data:image/png;base64,AAAA"})},
)
FUNCTION = st.fixed_dictionaries({"name": st.text() | JSON}, optional={"arguments": st.sampled_from(["", "{}", "{", '{"a": 1}']) | JSON})
CALL = st.fixed_dictionaries({"function": FUNCTION | JSON}, optional={"id": st.text(max_size=3) | JSON})
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool"]) | JSON},
    optional={
        "content": st.text() | st.lists(PART) | JSON,
        "tool_calls": st.lists(CALL) | JSON,
        "tool_call_id": JSON,
        "name": JSON,
        "reasoning_content": JSON,
    },
)
FIELDS = (
    "tools",
    "tool_choice",
    "response_format",
    "reasoning_effort",
    "think",
    "options",
    "stop",
    "temperature",
    "format",
    "keep_alive",
    "logprobs",
)


@given(messages=st.lists(MESSAGE, min_size=1, max_size=4), more=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
def test_any_request_is_translated_or_refused_and_stays_as_it_was(messages: list[Json], more: Json) -> None:
    given = Prompt({"model": "m", "messages": messages, **more}, {})
    before = deepcopy(given.body)
    try:
        outgoing = Ollama().request(given, TARGET)
    except Refusal as refusal:
        assert isinstance(refusal, BadRequest)
        assert refusal.param
    else:
        assert outgoing == Ollama().request(given, TARGET)
        assert [message.get("content") or "" for message in messages if isinstance(message.get("content"), str | None)] == [
            native["content"]
            for message, native in zip(messages, json.loads(outgoing.body)["messages"], strict=True)
            if isinstance(message.get("content"), str | None)
        ]
    assert before == given.body
