"""Messages bodies as chat bodies, and back."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.clients.messages import Messages
from ailb.clients.messages_request import chat_body
from ailb.errors import BadRequest, Refusal
from providers.anthropic_request import messages_body
from providers.anthropic_tools import JSON_ONLY
from tests.ailb.clients.chats import BODY, Json
from tests.providers.anthropic_wire import NEEDS_WIRE, recordings

SCHEMA: Json = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
LEAST = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {}),
        ({"temperature": 0, "top_p": 0.5, "top_k": 3}, {"temperature": 0, "top_p": 0.5}),
        ({"temperature": None, "top_p": None, "stop_sequences": None, "metadata": None, "thinking": None, "output_config": None}, {}),
        ({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"stop_sequences": []}, {}),
        ({"metadata": {"user_id": "u"}}, {"user": "u"}),
        ({"metadata": {"user_id": "u" * 64}}, {"user": "u" * 64}),
        ({"metadata": {"user_id": None}}, {}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning_effort": "low"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, {"reasoning_effort": "medium"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 16_384}}, {"reasoning_effort": "high"}),
        ({"thinking": {"type": "enabled"}}, {}),
        ({"thinking": {"type": "adaptive"}}, {}),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}, {"reasoning_effort": "medium"}),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, {}),
        ({"output_config": {"effort": "max"}}, {"reasoning_effort": "xhigh"}),
        ({"output_config": {"effort": "much"}}, {}),
        ({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, {"response_format": FORMAT}),
        ({"output_format": {"type": "json_schema", "schema": SCHEMA}}, {"response_format": FORMAT}),
        ({"cache_control": {"type": "ephemeral"}, "service_tier": "auto", "context_management": {"edits": []}, "mcp_servers": []}, {}),
    ],
)
def test_fields(more: Json, expected: Json) -> None:
    assert {**LEAST, **expected} == chat_body({**BODY, **more}, stream=False)


def test_a_name_that_is_too_long_is_told_by_its_hash() -> None:
    told = [chat_body({**BODY, "metadata": {"user_id": "u" * length}}, stream=False)["user"] for length in (65, 66, 65)]
    assert [64, 64, 64] == [len(user) for user in told]
    assert (told[0], True) == (told[2], told[0] != told[1])


def test_a_stream_reports_its_usage() -> None:
    assert {**LEAST, "stream": True, "stream_options": {"include_usage": True}} == chat_body(BODY, stream=True)


def test_the_model_may_be_missing() -> None:
    assert "model" not in chat_body({**BODY, "model": None}, stream=False)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"mcp_servers": [{"name": "x"}]}, "mcp_servers"),
        ({"stop_sequences": "a"}, "stop_sequences"),
        ({"stop_sequences": [1]}, "stop_sequences"),
        ({"metadata": "u"}, "metadata"),
        ({"thinking": True}, "thinking"),
        ({"output_config": []}, "output_config"),
        ({"output_config": {"format": "json"}}, "output_config.format"),
        ({"output_format": "json"}, "output_format"),
    ],
)
def test_what_cannot_be_had_elsewhere_is_named(more: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        chat_body({**BODY, **more}, stream=False)
    assert param == refused.value.param


def listed(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def plain(turns: list[Json]) -> list[tuple[str, Any]]:
    """What was said, without its cutting into blocks: texts, other blocks in order, results as text."""
    told: list[tuple[str, Any]] = []
    for turn in turns:
        for block in listed(turn["content"]):
            kind = block["type"]
            if kind == "text" and block["text"].strip():
                told.append((turn["role"], block["text"].strip()))
            elif kind == "tool_use":
                told.append(("use", (block["id"], block["name"], block["input"])))
            elif kind == "tool_result":
                texts = [inner["text"] for inner in listed(block.get("content")) if inner["type"] == "text"]
                told.append(("result", (block["tool_use_id"], "\n\n".join(texts).removeprefix("Error: "))))
            elif kind in ("thinking", "redacted_thinking"):
                told.append((kind, block))
            elif kind == "image":
                told.append((kind, block["source"]))
    return told


def merged(told: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Neighbouring texts of one role as one, without the space between them."""
    made: list[tuple[str, Any]] = []
    for kind, what in told:
        if made and kind in ("user", "assistant") and made[-1][0] == kind:
            made[-1] = (kind, made[-1][1] + what)
        else:
            made.append((kind, what))
    return [(kind, "".join(what.split()) if isinstance(what, str) else what) for kind, what in made]


def blocks_in(body: Json) -> list[Json]:
    return [block for turn in body["messages"] for block in listed(turn["content"])]


def only_anthropic_s(body: Json) -> bool:
    tools = [tool.get("type") for tool in body.get("tools") or ()]
    return "file_id" in json.dumps(body) or any(kind not in (None, "custom") for kind in tools)


def changed(block: Json) -> bool:
    """Whether the way there and back makes another block of it, such as a text of a search result."""
    inner = listed(block.get("content")) if block["type"] == "tool_result" else []
    kinds = ("text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking")
    return block["type"] not in kinds or any(part["type"] != "text" for part in inner)


RECORDED = [*recordings("sse", status=200), *recordings("body", status=200)]


@NEEDS_WIRE
@pytest.mark.parametrize("record", [param for param in RECORDED if not only_anthropic_s(param.values[0]["request"]["json"])])
def test_a_recorded_request_says_the_same_on_the_way_back(record: Json) -> None:
    given = record["request"]["json"]
    before = deepcopy(given)
    prompt = Messages().prompt(dict(given), {})
    back = messages_body(prompt.chat(), given["model"], stream=prompt.stream)
    assert before == given
    if not any(map(changed, blocks_in(given))):
        assert merged(plain(given["messages"])) == merged(plain(back["messages"]))
    system = "\n\n".join(block["text"] for block in listed(given.get("system")))
    assert system.split() == " ".join(block["text"] for block in back.get("system", [])).replace(JSON_ONLY, "").split()
    offered = [(tool["name"], tool["input_schema"]) for tool in given.get("tools") or ()]
    assert offered == [(tool["name"], tool["input_schema"]) for tool in back.get("tools", [])][: len(offered)]
    assert (given["max_tokens"], given.get("stop_sequences")) == (back["max_tokens"], back.get("stop_sequences"))
    assert prompt.stream == back.get("stream", False)


@NEEDS_WIRE
@pytest.mark.parametrize("record", [param for param in RECORDED if only_anthropic_s(param.values[0]["request"]["json"])])
def test_a_recorded_request_that_only_anthropic_can_serve(record: Json) -> None:
    given = record["request"]["json"]
    prompt = Messages().prompt(dict(given), {})
    assert any(prompt.question in text for text in [*prompt.texts(), ""])
    with pytest.raises(BadRequest, match="Anthropic"):
        prompt.chat()


KINDS = ["text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result", "server_tool_use"]
FIELDS = ["text", "source", "id", "name", "input", "tool_use_id", "content", "thinking", "signature", "data", "title", "url", "media_type"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
JUNK = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3), max_leaves=5
)
BLOCKS = st.fixed_dictionaries({"type": st.sampled_from(KINDS)}, optional=dict.fromkeys(FIELDS, JUNK | st.text()))
CONTENT = st.text() | st.lists(BLOCKS | JUNK, max_size=3) | JUNK
TURNS = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "x"]), "content": CONTENT})
TOOLS = st.lists(st.fixed_dictionaries({}, optional={"type": JUNK, "name": JUNK, "input_schema": JUNK, "strict": JUNK}), max_size=2)
OPTIONAL = ("tool_choice", "thinking", "metadata", "output_config", "output_format", "stop_sequences", "temperature", "mcp_servers")
BODIES = st.fixed_dictionaries(
    {"model": st.just("m"), "max_tokens": st.integers(0, 9), "messages": st.lists(TURNS, min_size=1, max_size=4)},
    optional={"system": CONTENT, "tools": TOOLS, **dict.fromkeys(OPTIONAL, JUNK)},
)


@given(BODIES)
def test_any_body_is_translated_or_refused_and_never_changed(body: Json) -> None:
    before = deepcopy(body)
    try:
        prompt = Messages().prompt(dict(body), {})
        told = [*prompt.texts(), prompt.question]
        chat = prompt.chat()
    except Refusal as refusal:
        assert refusal.status == 400
    else:
        assert all(isinstance(text, str) for text in told)
        assert all(message["role"] in ("system", "user", "assistant", "tool") for message in chat["messages"])
    assert before == body
