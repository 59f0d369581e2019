"""OpenAI's clients."""

import json
from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionToolUnionParam

from ailb.clients.chat import Chat
from ailb.dialect import Event
from ailb.errors import BadRequest, RateLimited, UpstreamBroken, UpstreamRefusal
from tests.ailb.clients.chats import USED, Json, call, chunks, fragment, whole
from tests.ailb.clients.front import Front

HI: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
TOOL: ChatCompletionToolUnionParam = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.fixture
def client(chat_front: Front) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{chat_front.url}/v1", api_key="k", max_retries=0) as client:
        yield client


def test_the_prompt_is_the_body() -> None:
    prompt = Chat().prompt({**HI, "session_id": "s", "odd": None}, {})
    assert ({**HI, "odd": None}, "s", "chat", {}) == (prompt.body, prompt.session_id, prompt.dialect, prompt.forward)


def test_only_headers_that_mean_something_upstream_are_forwarded() -> None:
    kept = {"openai-beta": "a", "anthropic-beta": "b", "x-grok-conv-id": "c"}
    own = {
        "authorization": "Bearer k",
        "cookie": "c",
        "openai-organization": "o",
        "openai-project": "p",
        "x-api-key": "k",
        "user-agent": "u",
    }
    assert kept == Chat().prompt(dict(HI), {**own, **kept}).forward


def test_a_body_without_messages_is_refused() -> None:
    with pytest.raises(BadRequest) as refused:
        Chat().prompt({"model": "m"}, {})
    assert refused.value.param == "messages"


def test_bytes_are_kept() -> None:
    speech = Chat()
    prompt = speech.prompt(dict(HI), {})
    raw = b'data: {"z": 1.50, "choices": []}\n\n'
    encoder = speech.encoder(prompt)
    assert raw == encoder.feed(Event(raw))
    assert b"" == encoder.feed(Event(raw, USED, hidden=True))
    assert b"data: [DONE]\n\n" == encoder.end()
    assert b'{"id": 1.0}' == speech.whole(prompt, Event(b'{"id": 1.0}'))


def test_a_broken_stream_ends_with_an_error_and_nothing_else() -> None:
    said = Chat().encoder(Chat().prompt(dict(HI), {})).error(UpstreamBroken("cut"))
    expected = {"error": {"message": "cut", "type": "server_error", "param": None, "code": "upstream_broken"}}
    assert said.startswith(b"data: ")
    assert said.endswith(b"}\n\n")
    assert expected == json.loads(said.removeprefix(b"data: "))


def test_an_error_is_the_one_body_of_the_house() -> None:
    refusal = UpstreamRefusal(400, "no", code=1 << 70, extra={"failed_generation": "x"})
    assert refusal.body() == json.loads(Chat().error(refusal))


def test_the_sdk_reads_a_whole_answer(client: openai.OpenAI, chat_front: Front) -> None:
    chat_front.events = [whole({"tool_calls": [call("c1", "f", '{"a":1}')]}, "tool_calls")]
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], tools=[TOOL])
    calls = answer.choices[0].message.tool_calls or []
    assert [("c1", "f", '{"a":1}')] == [(c.id, c.function.name, c.function.arguments) for c in calls if c.type == "function"]
    assert answer.usage is not None
    assert (100, 7) == (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert chat_front.prompts[0].has_tools


def test_the_sdk_reads_a_stream(client: openai.OpenAI, chat_front: Front) -> None:
    parts = [fragment(0, id="c1", name="f"), fragment(0, '{"a"'), fragment(0, ":1}")]
    chat_front.events = chunks({"content": "He"}, {"content": "llo"}, *parts, finish="tool_calls")
    with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "hi"}]) as stream:
        answer = stream.get_final_completion()
    message = answer.choices[0].message
    assert message.content == "Hello"
    assert ['{"a":1}'] == [c.function.arguments for c in message.tool_calls or []]


def test_the_sdk_raises_on_a_refusal(client: openai.OpenAI, chat_front: Front) -> None:
    chat_front.refusal = RateLimited("Rate limit exceeded")
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert refused.value.code == "rate_limit_exceeded"


def test_the_sdk_raises_in_a_broken_stream(client: openai.OpenAI, chat_front: Front) -> None:
    chat_front.events = chunks({"content": "He"}, finish=None, used=None)
    chat_front.refusal, chat_front.broken = UpstreamBroken("cut"), True
    stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
    heard: list[str | None] = []
    with pytest.raises(openai.APIError, match="cut"):
        heard.extend(chunk.choices[0].delta.content for chunk in stream)
    assert ["", "He"] == heard
