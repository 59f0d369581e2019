"""Every recorded answer of every provider says the same after it was rebuilt, and says it in OpenAI's way."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ailb import strict
from ailb.dialect import Event
from ailb.errors import UpstreamBroken
from tests.providers.openai_wire import (
    NEEDS_WIRE,
    Json,
    Said,
    asking,
    decode,
    dialect,
    payloads,
    prompt,
    recordings,
    said,
)


def heard(events: list[Event]) -> Said:
    return said([event.data for event in events])


def read(record: Json) -> Said:
    made = said([orjson.loads(payload) for payload in payloads(record["response"]["sse"])])
    for choice in made.choices.values():
        choice.finish = choice.finish[:1]
    return made


@NEEDS_WIRE
@pytest.mark.parametrize("wants_usage", [False, True])
@pytest.mark.parametrize("record", recordings("sse"))
def test_a_recorded_stream_says_the_same(record: Json, wants_usage: bool) -> None:
    decoder = dialect(record["provider"]).decoder(asking(wants_usage=wants_usage))
    events = decode(decoder, record["response"]["sse"].encode())
    expected = read(record)
    assert expected.choices == heard(events).choices
    usage = next((event.usage for event in reversed(events) if event.usage), None)
    assert expected.tokens(record["provider"]) == (usage and (usage.input, usage.output, usage.cached))
    assert [event.raw for event in events] == [b"data: " + event.raw[6:-2] + b"\n\n" for event in events]
    assert [event.data for event in events] == [orjson.loads(event.raw[6:]) for event in events]


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse"))
def test_the_usage_is_in_one_last_chunk_of_its_own_and_only_for_who_asked(record: Json) -> None:
    told: dict[bool, list[Event]] = {}
    for wants_usage in (False, True):
        decoder = dialect(record["provider"]).decoder(asking(wants_usage=wants_usage))
        told[wants_usage] = decode(decoder, record["response"]["sse"].encode())
    seen = [event.data for event in told[False] if not event.hidden]
    assert [] == [data for data in seen if data.get("usage") is not None]
    with_usage = [number for number, event in enumerate(told[True]) if event.data.get("usage")]
    assert with_usage == ([len(told[True]) - 1] if read(record).usage else [])
    assert all(told[True][number].data["choices"] == [] and not told[True][number].hidden for number in with_usage)


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse"))
def test_openai_s_sdk_puts_a_recorded_stream_together(record: Json) -> None:
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    decoder = dialect(record["provider"]).decoder(asking(wants_usage=True))
    for event in decode(decoder, record["response"]["sse"].encode()):
        state.handle_chunk(ChatCompletionChunk.construct(**event.data))
    whole = state.current_completion_snapshot
    for choice in whole.choices:
        expected = read(record).choices[choice.index]
        assert expected.text == (choice.message.content or "")
        calls = [[call.id, call.function.name, call.function.arguments] for call in choice.message.tool_calls or ()]
        assert list(expected.calls.values()) == calls


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse"))
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_a_recorded_stream_cut_anywhere_gives_the_same_events(record: Json, data: st.DataObject) -> None:
    wire = record["response"]["sse"].encode()
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=8))
    asked = asking(wants_usage=data.draw(st.booleans()))
    served = dialect(record["provider"])
    assert [event.raw for event in decode(served.decoder(asked), wire)] == [
        event.raw for event in decode(served.decoder(asked), wire, cuts)
    ]


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("sse"))
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_a_recorded_stream_that_stops_early_is_broken(record: Json, data: st.DataObject) -> None:
    wire = record["response"]["sse"].encode()
    before = [at for mark in (b'"finish_reason":"', b'"finish_reason": "', b"[DONE]") if (at := wire.find(mark)) >= 0]
    decoder = dialect(record["provider"]).decoder(asking(wants_usage=False))
    decoder.feed(wire[: data.draw(st.integers(0, min(before)))])
    assert not decoder.done
    with pytest.raises(UpstreamBroken):
        decoder.end()


@NEEDS_WIRE
@pytest.mark.parametrize("record", recordings("body"))
def test_a_recorded_answer_says_the_same(record: Json) -> None:
    body = record["response"]["body"]
    event = dialect(record["provider"]).whole(prompt(), orjson.dumps(body))
    expected = said([body], "message")
    assert expected.choices == said([event.data], "message").choices
    assert expected.tokens(record["provider"]) == (event.usage and (event.usage.input, event.usage.output, event.usage.cached))
    assert event.data == orjson.loads(event.raw)
    ChatCompletion.construct(**event.data)


def chunk(delta: Json, finish: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


def stream(*chunks: Json) -> bytes:
    return b"".join(b"data: " + strict.dumps(data) + b"\n\n" for data in chunks) + b"data: [DONE]\n\n"


def told(provider: str, *chunks: Json, wants_usage: bool = False) -> list[Json]:
    """What the client of a provider sees of these chunks."""
    events = decode(dialect(provider).decoder(asking(wants_usage=wants_usage)), stream(*chunks))
    return [event.data for event in events if not event.hidden]


def test_empty_ids_of_tool_calls_become_unique_and_stay_the_same() -> None:
    def call(index: int) -> Json:
        function = {"name": "add", "arguments": '{"a":1}'}
        return {"index": index, "id": "", "type": "function", "function": function, "extra_content": {"google": {"thought_signature": "s"}}}

    answers = [told("gemini", chunk({"tool_calls": [call(0), call(1)]}, "tool_calls")) for _ in range(2)]
    first, second = answers[0][0]["choices"][0]["delta"]["tool_calls"]
    assert answers[0] == answers[1]
    assert first["id"].startswith("call_")
    assert first["id"] != second["id"]
    assert first["extra_content"] == {"google": {"thought_signature": "s"}}


def test_a_whole_answer_gets_ids_too() -> None:
    call = {"id": "", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [call, call]}, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}
    event = dialect("gemini").whole(prompt(), orjson.dumps({"id": "x", "choices": [choice], "usage": usage}))
    message = event.data["choices"][0]["message"]
    assert len({call["id"] for call in message["tool_calls"]} - {""}) == 2
    assert message["content"] is None
    assert event.usage is not None
    assert (event.usage.output, event.usage.reasoning) == (74, 62)
    assert event.data["usage"]["completion_tokens"] == 74


def test_a_missing_tool_index_is_counted() -> None:
    def whole_call(name: str) -> Json:
        return {"id": name * 9, "function": {"name": name, "arguments": "{}"}}

    seen = told(
        "mistral", chunk({"tool_calls": [whole_call("a"), whole_call("b")]}), chunk({"tool_calls": [whole_call("c")]}, "tool_calls")
    )
    assert [call["index"] for data in seen for call in data["choices"][0]["delta"]["tool_calls"]] == [0, 1, 2]


def test_chunks_without_an_id_get_one() -> None:
    seen = told("snowflake", chunk({"content": "a"}, id=""), chunk({"content": "b"}, "stop", id=""))
    assert len({data["id"] for data in seen}) == 1
    assert seen[0]["id"].startswith("chatcmpl-")


def test_a_stream_has_one_id() -> None:
    seen = told("groq", chunk({"content": "a"}, id="one"), chunk({}, "stop", id="stub"))
    assert [data["id"] for data in seen] == ["one", "one"]


def test_azure_s_first_chunk_stays_as_it_is() -> None:
    first = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": [{"prompt_index": 0}]}
    assert told("azure", first, chunk({"content": "a"}, "stop"))[0] == first


def test_a_finish_that_comes_again_with_text_keeps_the_text() -> None:
    seen = told("openrouter", chunk({"content": "a"}, "stop"), chunk({"content": "b"}, "stop"), chunk({"role": "assistant"}, "stop"))
    assert [(data["choices"][0]["delta"], data["choices"][0]["finish_reason"]) for data in seen] == [
        ({"content": "a"}, "stop"),
        ({"content": "b"}, None),
    ]


def test_the_usage_of_a_finish_chunk_is_known_before_the_end() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    decoder = dialect("mistral").decoder(asking(wants_usage=False))
    events = decoder.feed(stream(chunk({"content": "a"}, "stop", usage=usage)).removesuffix(b"data: [DONE]\n\n"))
    assert [event.usage and event.usage.total for event in events] == [5]
    assert "usage" not in events[0].data


def test_integers_of_any_size_survive_a_rebuilding() -> None:
    big = 123456789012345678901234567890
    decoder = dialect("mistral").decoder(asking(wants_usage=False))
    events = decode(decoder, stream(chunk({"content": "a"}, "stop", seed=big, p="abc")))
    assert [event.raw for event in events] == [b"data: " + strict.dumps(chunk({"content": "a"}, "stop", seed=big)) + b"\n\n"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "function", "name", "index", "text", "x"]), inner),
    max_leaves=8,
)


@given(delta=st.dictionaries(st.sampled_from(["content", "tool_calls", "reasoning", "reasoning_details", "role", "odd"]), JSON), usage=JSON)
@pytest.mark.parametrize("provider", ["openai-compatible", "mistral", "gemini", "perplexity", "together", "xai"])
def test_odd_types_are_no_accident(provider: str, delta: Json, usage: Any) -> None:
    decoder = dialect(provider).decoder(asking(wants_usage=True))
    events = decode(decoder, stream(chunk(delta, usage=usage), chunk({}, "stop")))
    assert decoder.error is None
    assert [event.data for event in events] == [orjson.loads(event.raw[6:]) for event in events]
    whole = {"choices": [{"index": usage, "message": delta}], "usage": usage}
    assert dialect(provider).whole(prompt(), orjson.dumps(whole)).data["choices"]
