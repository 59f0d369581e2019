"""Anthropic's clients: the official SDK, pointed at a front whose answers are chat completions."""

import json
from collections.abc import Iterator

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

from ailb.clients.messages import Messages
from ailb.errors import BadRequest, UpstreamBroken, UpstreamRefusal
from providers.anthropic_native import MessagesEvent
from tests.ailb.clients.chats import BODY, COUNTED, call, chunks, fragment, whole
from tests.ailb.clients.front import Front

HI: list[MessageParam] = [{"role": "user", "content": "hi"}]
TOOL: ToolParam = {"name": "f", "description": "does it", "input_schema": {"type": "object", "properties": {"x": {"type": "integer"}}}}


@pytest.fixture
def client(messages_front: Front) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=messages_front.url, api_key="k", max_retries=0) as client:
        yield client


def test_only_anthropic_s_headers_are_forwarded() -> None:
    kept = {"anthropic-version": "2026-10-21", "anthropic-beta": "a,b"}
    own = {"authorization": "Bearer k", "x-api-key": "k", "cookie": "c", "user-agent": "u", "x-stainless-os": "x"}
    assert kept == Messages().prompt(dict(BODY), {**own, **kept}).forward


def test_a_body_without_a_limit_is_refused() -> None:
    with pytest.raises(BadRequest) as refused:
        Messages().prompt({"model": "m", "messages": [{"role": "user", "content": "hi"}]}, {})
    assert refused.value.param == "max_tokens"


def test_anthropic_s_own_answer_keeps_its_bytes() -> None:
    speech = Messages()
    assert b'{"id": 1.0}' == speech.whole(speech.prompt(dict(BODY), {}), MessagesEvent(b'{"id": 1.0}'))


def test_integers_of_any_size() -> None:
    speech = Messages()
    said = speech.whole(speech.prompt(dict(BODY), {}), whole({"tool_calls": [call("a", "f", '{"x":123456789012345678901}')]}))
    assert {"x": 123456789012345678901} == json.loads(said)["content"][0]["input"]


def test_the_sdk_reads_a_whole_answer(client: anthropic.Anthropic, messages_front: Front) -> None:
    messages_front.events = [whole({"content": "so", "tool_calls": [call("c1", "f", '{"x":1}')]}, "tool_calls")]
    answer = client.messages.create(model="m", max_tokens=9, messages=HI, tools=[TOOL], tool_choice={"type": "any"})
    assert [("text", "so"), ("tool_use", {"x": 1})] == [
        (block.type, block.text if block.type == "text" else block.input) for block in answer.content if block.type in ("text", "tool_use")
    ]
    assert ("tool_use", "msg_1", "gpt-x") == (answer.stop_reason, answer.id, answer.model)
    assert COUNTED == answer.usage.model_dump(include=set(COUNTED))
    chat = messages_front.prompts[0].chat()
    assert ("required", "f") == (chat["tool_choice"], chat["tools"][0]["function"]["name"])


def test_the_sdk_reads_a_stream(client: anthropic.Anthropic, messages_front: Front) -> None:
    calls = [fragment(0, id="a", name="f"), fragment(0, '{"x":'), fragment(0, "1}"), fragment(1, "{}", id="b", name="f")]
    messages_front.events = chunks({"reasoning_content": "hm"}, {"content": "He"}, {"content": "llo"}, *calls, finish="tool_calls")
    with client.messages.stream(model="m", max_tokens=9, messages=HI, tools=[TOOL]) as stream:
        assert ["He", "llo"] == list(stream.text_stream)
        answer = stream.get_final_message()
    assert ["thinking", "text", "tool_use", "tool_use"] == [block.type for block in answer.content]
    assert [{"x": 1}, {}] == [block.input for block in answer.content if block.type == "tool_use"]
    assert answer.stop_reason == "tool_use"
    assert COUNTED == answer.usage.model_dump(include=set(COUNTED))


def test_what_the_sdk_got_can_be_sent_back(client: anthropic.Anthropic, messages_front: Front) -> None:
    messages_front.events = [whole({"reasoning_content": "hm", "content": "so", "tool_calls": [call("c1", "f", '{"x":1}')]}, "tool_calls")]
    answer = client.messages.create(model="m", max_tokens=9, messages=HI, tools=[TOOL])
    results: MessageParam = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "2"}]}
    client.messages.create(model="m", max_tokens=9, messages=[*HI, {"role": "assistant", "content": answer.content}, results], tools=[TOOL])
    said = {"role": "assistant", "content": "so", "reasoning_content": "hm", "tool_calls": [call("c1", "f", '{"x":1}')]}
    tool = {"role": "tool", "tool_call_id": "c1", "content": "2"}
    assert [{"role": "user", "content": "hi"}, said, tool] == messages_front.prompts[1].chat()["messages"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (413, anthropic.RequestTooLargeError),
        (429, anthropic.RateLimitError),
        (503, anthropic.ServiceUnavailableError),
        (529, anthropic.OverloadedError),
    ],
)
def test_the_sdk_raises_its_own_errors(
    client: anthropic.Anthropic, messages_front: Front, status: int, error: type[anthropic.APIStatusError]
) -> None:
    messages_front.refusal = UpstreamRefusal(status, "no", extra={"request_id": "req_1"})
    with pytest.raises(error) as refused:
        client.messages.create(model="m", max_tokens=9, messages=HI)
    body = refused.value.body
    assert isinstance(body, dict)
    assert ("error", "no", "req_1") == (body["type"], body["error"]["message"], body["request_id"])


def test_the_sdk_raises_in_a_broken_stream(client: anthropic.Anthropic, messages_front: Front) -> None:
    messages_front.events = chunks({"content": "He"}, finish=None, used=None)
    messages_front.refusal, messages_front.broken = UpstreamBroken("cut"), True
    heard: list[str] = []
    with pytest.raises(anthropic.APIStatusError, match="cut"), client.messages.stream(model="m", max_tokens=9, messages=HI) as stream:
        heard.extend(stream.text_stream)
    assert ["He"] == heard
