"""Chat bodies as Messages bodies."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Target
from ailb.errors import BadRequest, Refusal
from ailb.prompt import Prompt
from providers.anthropic import Anthropic
from providers.anthropic_request import betas, messages_body
from providers.anthropic_tools import JSON_ONLY, JSON_TOOL, json_tool
from tests.providers.anthropic_wire import NEEDS_WIRE, Json, recordings

MODEL = "claude-sonnet-4-0"
HI = {"role": "user", "content": "hi"}
TURN = {"role": "user", "content": [{"type": "text", "text": "hi"}]}
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
OWN_TOOL = {"name": "f", "input_schema": SCHEMA}


def body(model: str = MODEL, *, stream: bool = False, **chat: Any) -> Json:
    return messages_body({"model": "alias", "messages": [HI], **chat}, model, stream=stream)


def added(model: str = MODEL, **chat: Any) -> Json:
    return {field: value for field, value in body(model, **chat).items() if field not in ("model", "messages", "max_tokens")}


def test_the_least_body() -> None:
    assert body() == {"model": MODEL, "max_tokens": 32_000, "messages": [TURN]}


@pytest.mark.parametrize(
    ("chat", "limit"),
    [({"max_tokens": 5}, 5), ({"max_completion_tokens": 6, "max_tokens": 5}, 6), ({"max_tokens": None}, 77), ({}, 77)],
)
def test_the_limit(chat: Json, limit: int) -> None:
    assert limit == messages_body({"messages": [HI], **chat}, MODEL, stream=False, default_max_tokens=77)["max_tokens"]


@pytest.mark.parametrize(
    ("chat", "expected"),
    [
        ({"stream_options": {"include_usage": True}}, {}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["a", "\n", "b", " "]}, {"stop_sequences": ["a", "b"]}),
        ({"stop": ["\n"]}, {}),
        ({"stop": None}, {}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"user": "u", "metadata": {"user_id": "v", "team": "x"}}, {"metadata": {"user_id": "v"}}),
        ({"metadata": {"team": "x"}}, {}),
        ({"safety_identifier": "s"}, {"metadata": {"user_id": "s"}}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"service_tier": "flex"}, {}),
        ({"seed": 1, "logit_bias": {"1": 2}, "presence_penalty": 1, "frequency_penalty": 1, "store": True, "verbosity": "low"}, {}),
        ({"n": 1, "logprobs": False, "top_logprobs": 0, "modalities": ["text"], "audio": None}, {}),
        (
            {"top_k": 5, "mcp_servers": [{"url": "u"}], "brand_new": {"a": 0}},
            {"top_k": 5, "mcp_servers": [{"url": "u"}], "brand_new": {"a": 0}},
        ),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ({"tools": [TOOL]}, {"tools": [OWN_TOOL]}),
        ({"tools": [TOOL], "tool_choice": "required"}, {"tools": [OWN_TOOL], "tool_choice": {"type": "any"}}),
        ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": False}, {}),
    ],
)
def test_parameters(chat: Json, expected: Json) -> None:
    assert expected == added(**chat)


def test_a_stream_is_asked_for() -> None:
    assert body(stream=True)["stream"] is True


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"stop": 7}, "stop"),
        ({"stop": ["a", 7]}, "stop"),
    ],
)
def test_what_the_provider_cannot_do_is_named(chat: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        body(**chat)
    assert param == refused.value.param


WANTED = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
STANDS = {"type": "tool", "name": JSON_TOOL}


@pytest.mark.parametrize(
    ("model", "chat", "expected"),
    [
        ("claude-haiku-4-5", {}, {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
        (
            "claude-opus-4-8",
            {"reasoning_effort": "low", "tools": [TOOL]},
            {
                "tools": [OWN_TOOL],
                "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"},
                "thinking": {"type": "adaptive", "display": "summarized"},
            },
        ),
        (MODEL, {"reasoning_effort": "high"}, {"tools": [json_tool(SCHEMA)], "tool_choice": STANDS}),
        (MODEL, {"tools": [TOOL]}, {"tools": [OWN_TOOL, json_tool(SCHEMA)], "tool_choice": {"type": "any"}}),
        (MODEL, {"tools": [TOOL], "tool_choice": "none"}, {"tools": [OWN_TOOL, json_tool(SCHEMA)], "tool_choice": STANDS}),
    ],
)
def test_an_answer_by_schema(model: str, chat: Json, expected: Json) -> None:
    assert expected == added(model, response_format=WANTED, **chat)


def test_an_answer_of_any_object() -> None:
    wanted = {"type": "json_object"}
    assert {"tools": [json_tool({})], "tool_choice": STANDS} == added(response_format=wanted)
    assert added("claude-sonnet-5", response_format=wanted) == {"system": [{"type": "text", "text": JSON_ONLY}]}
    told = added("claude-sonnet-5", response_format=wanted, system="s")
    assert told["system"] == [{"type": "text", "text": "s"}, {"type": "text", "text": JSON_ONLY}]


def test_calls_without_tools_declare_what_was_called() -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]}
    made = added(messages=[HI, call, {"role": "tool", "tool_call_id": "a", "content": "x"}])
    assert made == {"tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "none"}}


def test_files_are_announced() -> None:
    part = {"type": "file", "file": {"file_id": "file_1"}}
    assert betas(body(messages=[{"role": "user", "content": [part]}])) == ["files-api-2025-04-14"]
    assert betas(body()) == []


def chat_of(native: Json) -> Json:
    """A recorded native request as an OpenAI client would have said it; calls, results and text only."""
    system = native.get("system")
    messages: list[Json] = [{"role": "system", "content": system}] if system else []
    for turn in native["messages"]:
        content = turn["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        results = [block for block in blocks if block["type"] == "tool_result"]
        messages += [{**block, "role": "tool", "tool_call_id": block["tool_use_id"]} for block in results]
        calls = [
            {"id": block["id"], "type": "function", "function": {"name": block["name"], "arguments": json.dumps(block["input"])}}
            for block in blocks
            if block["type"] == "tool_use"
        ]
        signed = [block for block in blocks if "thinking" in block["type"]]
        rest = [block for block in blocks if block["type"] not in ("tool_use", "tool_result") and block not in signed]
        if turn["role"] == "assistant":
            messages.append({"role": "assistant", "content": rest, "tool_calls": calls, "thinking_blocks": signed})
        elif rest:
            messages.append({"role": turn["role"], "content": rest})
    return {"messages": messages}


def gist(turns: list[Json]) -> list[tuple[str, set[str]]]:
    """Who said what: the blocks of each turn, without their order and without what a round trip may leave out."""
    gone = ("cache_control", "caller", "is_error", "citations")
    made: list[tuple[str, set[str]]] = []
    for turn in turns:
        blocks = [{"type": "text", "text": turn["content"]}] if isinstance(turn["content"], str) else turn["content"]
        kept = [{name: value for name, value in block.items() if name not in gone} for block in blocks if block.get("text", "x").strip()]
        said = {json.dumps(block, sort_keys=True) for block in kept}
        if made and made[-1][0] == turn["role"]:
            made[-1][1].update(said)
        else:
            made.append((turn["role"], said))
    return made


@NEEDS_WIRE
@pytest.mark.parametrize(
    "record", [param for param in recordings("body") + recordings("sse") if param.values[0]["response"]["status"] == 200]
)
def test_a_recorded_conversation_comes_back_the_same(record: Json) -> None:
    native = record["request"]["json"]
    made = messages_body(chat_of(native), native["model"], stream=False)
    assert gist(native["messages"]) == gist(made["messages"])


LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
TYPES = ["text", "image_url", "file", "refusal", "function", "tool_use", "json_schema", "json_object", "any", "thinking", "input_audio"]
WORDS = st.sampled_from([*TYPES, "user", "auto", "none", "high", "f", "", "data:image/png;base64,AA=="])
MEMBERS = (
    "type text function name arguments parameters url image_url file file_data file_id schema id source strict format minItems items "
    "properties $defs anyOf description allowed_tools tools mode signature data"
)
NAMES = st.sampled_from(MEMBERS.split())
ODD = st.recursive(LEAVES | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=6)
CALL = {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "x"}
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": st.text(max_size=5) | st.lists(ODD, max_size=2)},
    optional=dict.fromkeys(("tool_calls", "function_call", "tool_call_id", "thinking_blocks", "refusal", "cache_control", "name"), ODD),
)
FIELDS = (
    "tools tool_choice functions function_call parallel_tool_calls response_format stop user metadata thinking system "
    "temperature top_p reasoning_effort n modalities service_tier output_config max_tokens"
)
FORMATS = st.fixed_dictionaries({"type": st.sampled_from(["json_schema", "json_object"])}, optional={"json_schema": ODD, "schema": ODD})
FUNCTIONS = st.fixed_dictionaries({"name": WORDS}, optional={"parameters": ODD, "strict": st.booleans()})
TOOLS = st.lists(st.fixed_dictionaries({"type": st.just("function"), "function": FUNCTIONS}), max_size=2)
EFFORTS = st.sampled_from(["none", "low", "high"])
FINE = st.fixed_dictionaries({}, optional={"response_format": FORMATS, "tools": TOOLS, "tool_choice": ODD, "reasoning_effort": EFFORTS})
CHATS = st.builds(
    lambda messages, fine, odd: {"model": "alias", **fine, **odd, "messages": [HI, CALL, RESULT, *messages]},
    st.lists(MESSAGES, max_size=1),
    FINE,
    st.dictionaries(st.sampled_from(FIELDS.split()), ODD, max_size=1),
)
MODELS = st.sampled_from(["claude-3-haiku-20240307", "claude-sonnet-4-0", "claude-haiku-4-5", "claude-opus-4-6", "claude-opus-5", "other"])


@given(CHATS, MODELS)
def test_no_chat_is_odd_enough_to_raise_anything_but_a_refusal_or_to_be_changed(chat: Json, model: str) -> None:
    try:
        prompt = Prompt(chat, {})
    except Refusal:
        return
    before = deepcopy(prompt.body)
    try:
        sent = json.loads(Anthropic().request(prompt, Target("anthropic", model)).body)
    except BadRequest:
        sent = {"model": model, "messages": []}
    assert model == sent["model"]
    assert all(turn["role"] in ("user", "assistant") and turn["content"] for turn in sent["messages"])
    assert before == prompt.body
