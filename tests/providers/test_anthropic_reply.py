"""Messages as chat completions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from ailb.dialect import Event
from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal
from ailb.usage import MOST, Usage
from providers.anthropic import Anthropic
from providers.anthropic_reply import usage
from providers.anthropic_tools import JSON_TOOL
from tests.providers.anthropic_wire import NEEDS_WIRE, RECEIVED, Json, prompt, recordings, said_whole


def whole(body: Json, **chat: Any) -> Event:
    return Anthropic().whole(prompt(chat), json.dumps(body).encode())


def message(*content: Any, reason: str = "end_turn", **more: Any) -> Json:
    return {"id": "msg_1", "type": "message", "model": "claude-x", "content": list(content), "stop_reason": reason, "usage": {}, **more}


def told(*content: Any, reason: str = "end_turn", **chat: Any) -> Json:
    """The members of the answer's message that are there."""
    made = whole(message(*content, reason=reason), **chat).data["choices"][0]["message"]
    return {member: value for member, value in made.items() if value is not None and member != "role"}


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("body", status=200))
def test_a_recorded_answer_says_the_same_as_a_completion(record: Json) -> None:
    body = record["response"]["body"]
    said = said_whole(body)
    event = whole(body)
    choice = event.data["choices"][0]
    assert (body["id"], body["model"]) == (event.data["id"], event.data["model"])
    assert said.text == event.text
    assert said.reasoning == event.reasoning
    calls = [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in choice["message"].get("tool_calls", ())
    ]
    assert said.calls == calls
    assert said.text == ChatCompletion.model_validate(event.data).choices[0].message.content or calls
    assert said.finish == choice["finish_reason"]
    assert event.usage is not None
    assert said.tokens == (event.usage.input, event.usage.output, event.usage.cached)
    kept = [block for block in body["content"] if block["type"] in ("thinking", "redacted_thinking")]
    assert kept == choice["message"].get("thinking_blocks", [])


def test_a_plain_answer() -> None:
    body = message({"type": "text", "text": "a"}, {"type": "text", "text": "b"}, usage={"input_tokens": 3, "output_tokens": 2})
    assert {
        "id": "msg_1",
        "object": "chat.completion",
        "created": RECEIVED,
        "model": "claude-x",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "ab", "refusal": None}, "logprobs": None, "finish_reason": "stop"}
        ],
        "usage": Usage(3, 2).chat(),
    } == whole(body).data


CALL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


def call(arguments: str, id: str = "t") -> Json:
    return {"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}}


@pytest.mark.parametrize(
    ("content", "chat", "expected"),
    [
        ([], {}, {"content": ""}),
        ([CALL, {**CALL, "id": "u", "input": {"a": [1.5, "é"]}}], {}, {"tool_calls": [call("{}"), call('{"a":[1.5,"é"]}', "u")]}),
        ([{**CALL, "input": {"a": 10**30}}], {}, {"tool_calls": [call(f'{{"a":{10**30}}}')]}),
        ([{**CALL, "input": None}], {}, {"tool_calls": [call("{}")]}),
        ([{"type": "text", "text": "so"}, CALL], {}, {"content": "so", "tool_calls": [call("{}")]}),
        ([CALL], {"functions": [{"name": "f"}]}, {"function_call": {"name": "f", "arguments": "{}"}}),
        ([{**CALL, "name": JSON_TOOL, "input": {"a": 1}}], {}, {"content": '{"a":1}'}),
        ([{"type": "server_tool_use"}, {"type": "web_search_tool_result"}, {"type": "new"}, 7, None], {}, {"content": ""}),
        (
            [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "x"}],
            {},
            {
                "content": "",
                "reasoning_content": "hm",
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "x"}],
            },
        ),
    ],
)
def test_blocks(content: list[Any], chat: Json, expected: Json) -> None:
    assert expected == told(*content, **chat)


def test_citations_point_into_the_text() -> None:
    web = {"type": "web_search_result_location", "url": "https://a.example", "title": None, "cited_text": "t"}
    page = {"type": "page_location", "document_index": 0}
    made = told(
        {"type": "text", "text": "ab"},
        {"type": "text", "text": "cde", "citations": [web, page]},
        {"type": "text", "text": "f", "citations": None},
    )
    place = {"start_index": 2, "end_index": 5}
    annotation = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "", **place}}
    assert {"content": "abcdef", "annotations": [annotation], "citations": [{**page, **place}]} == made


@pytest.mark.parametrize(
    ("reason", "content", "chat", "expected"),
    [
        ("tool_use", [CALL], {}, "tool_calls"),
        ("end_turn", [CALL], {}, "tool_calls"),
        ("max_tokens", [CALL], {}, "length"),
        ("refusal", [], {}, "content_filter"),
        ("pause_turn", [], {}, "stop"),
        ("tool_use", [{**CALL, "name": JSON_TOOL}], {}, "stop"),
        ("tool_use", [CALL], {"functions": [{"name": "f"}]}, "function_call"),
        (None, [], {}, "stop"),
    ],
)
def test_finish_reasons(reason: Any, content: list[Any], chat: Json, expected: str) -> None:
    assert expected == whole(message(*content, reason=reason), **chat).data["choices"][0]["finish_reason"]


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], Usage()),
        ([None, 7, {}], Usage()),
        ([{"input_tokens": 3, "output_tokens": 1}, {"output_tokens": 9}], Usage(3, 9)),
        ([{"input_tokens": 3, "cache_read_input_tokens": 0}, {"input_tokens": 17, "cache_read_input_tokens": 5}], Usage(22, 0, 5)),
        ([{"input_tokens": 3}, {"input_tokens": None}], Usage(3)),
        (
            [
                {
                    "input_tokens": 1,
                    "cache_read_input_tokens": 2,
                    "cache_creation_input_tokens": 4,
                    "cache_creation": {"ephemeral_1h_input_tokens": 3, "ephemeral_5m_input_tokens": 1},
                    "output_tokens": 8,
                    "output_tokens_details": {"thinking_tokens": 6},
                }
            ],
            Usage(7, 8, 2, 4, 3, 6),
        ),
        (
            [{"input_tokens": -5, "output_tokens": "many", "cache_creation": 1, "cache_read_input_tokens": 1e300}],
            Usage(MOST, 0, MOST),
        ),
    ],
)
def test_usage(reports: list[Any], expected: Usage) -> None:
    assert expected == usage(*reports)


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"{}", b'{"content": "x"}', b'{"content": [', b'{"content": [1e999]}'])
def test_what_is_no_message_is_broken(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        Anthropic().whole(prompt(), data)


def test_an_error_with_status_200_is_a_refusal() -> None:
    with pytest.raises(UpstreamRefusal) as refused:
        whole({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    assert (refused.value.status, refused.value.message) == (529, "Overloaded")


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSONISH = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5
)
KINDS = st.sampled_from(["text", "tool_use", "thinking", "redacted_thinking", "server_tool_use"]) | JSONISH
BLOCKS = st.fixed_dictionaries({"type": KINDS}, optional=dict.fromkeys(("text", "thinking", "citations", "input", "name", "id"), JSONISH))


@given(st.lists(BLOCKS | JSONISH, max_size=4), JSONISH, JSONISH)
def test_no_message_is_odd_enough_to_raise_anything_but_a_failure(content: list[Any], reason: Any, told: Any) -> None:
    try:
        event = whole({**message(*content), "stop_reason": reason, "usage": told, "id": reason, "model": told})
    except UpstreamFailure:
        return
    assert event.data["object"] == "chat.completion"
