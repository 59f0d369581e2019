import asyncio
from typing import Any

import pytest

from ailb.dialect import Target
from ailb.errors import BadRequest, UpstreamBroken, UpstreamRefusal
from ailb.exchange import Exchange, Reply
from ailb.stack import Innermost
from ailb.testing import Result, ask, run
from ailb.usage import Usage
from providers.echo import Echo


async def said(exchange: Exchange, model: str = "echo", **options: Any) -> Result:
    innermost = Innermost({"echo": Echo(**options)})

    async def picked(exchange: Exchange) -> Reply:
        exchange.target = Target("echo", model)
        return await innermost(exchange)

    return await run([], exchange, picked)


@pytest.mark.parametrize("stream", [True, False])
async def test_it_says_what_it_was_told(stream: bool) -> None:
    result = await said(ask("Hello, world", stream=stream), "gpt-4")
    assert result.text == "You said: Hello, world"
    assert result.outcome.usage == Usage(2, 4)
    assert {"gpt-4"} == {event.data["model"] for event in result.events}


async def test_it_says_what_else_it_was_given() -> None:
    messages = [{"role": "system", "content": "Be kind"}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    result = await said(ask(messages=messages), note="A note.")
    assert result.text == "A note.\nYou said: Hi\nI was also given:\nsystem: Be kind"


async def test_the_same_prompt_gets_the_same_answer() -> None:
    first, second, other = [(await said(ask(text))).events[0].data for text in ("a", "a", "b")]
    assert first == second
    assert first["id"] != other["id"]


@pytest.mark.parametrize("stream", [True, False])
async def test_the_cap_cuts_it(stream: bool) -> None:
    result = await said(ask("one two three", stream=stream, max_tokens=3))
    assert (result.text, result.outcome.usage) == ("You said: one", Usage(3, 3))
    finishes = [choice["finish_reason"] for event in result.events for choice in event.data["choices"]]
    assert finishes[-1] == "length"


@pytest.mark.parametrize(("options", "seen"), [({}, 0), ({"stream_options": {"include_usage": True}}, 1)])
async def test_usage_is_streamed_to_those_who_asked(options: dict[str, Any], seen: int) -> None:
    result = await said(ask("Hi", stream=True, **options))
    assert seen == sum(bool(event.data.get("usage")) for event in result.events)


@pytest.mark.parametrize("status", [400, 429, 503, 599])
async def test_it_can_be_told_to_fail(status: int) -> None:
    refusal = (await said(ask(), f"x-echo-fail-{status}")).refusal
    assert isinstance(refusal, UpstreamRefusal)
    assert refusal.status == status


@pytest.mark.parametrize(("stream", "text"), [(True, "You said:"), (False, "")])
async def test_it_can_be_told_to_break(stream: bool, text: str) -> None:
    result = await said(ask("one two three", stream=stream), "echo-break")
    assert isinstance(result.refusal, UpstreamBroken)
    assert text == result.text


async def test_it_can_be_told_to_stall() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(said(ask(), "echo-stall"), 0.02)


async def test_it_can_be_told_to_be_slow() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(said(ask("one two three", stream=True), "echo-slow"), 0.02)


TOOL = {"type": "function", "function": {"name": "look_up"}}


@pytest.mark.parametrize("stream", [True, False])
async def test_it_can_be_told_to_call_a_tool(stream: bool) -> None:
    result = await said(ask("Hi", stream=stream, tools=[TOOL]), "echo-tool")
    parts = [choice.get("delta") or choice.get("message") or {} for event in result.events for choice in event.data["choices"]]
    calls = [call for part in parts for call in part.get("tool_calls") or ()]
    assert [("look_up", "{}")] == [(call["function"]["name"], call["function"]["arguments"]) for call in calls]
    assert result.outcome.usage == Usage(1, 1)


@pytest.mark.parametrize("tools", [None, [], {}, 5, [5], [{}], [{"function": {}}], [{"function": {"name": 5}}], [{"function": 5}]])
async def test_without_a_tool_it_answers(tools: Any) -> None:
    assert (await said(ask("Hi", tools=tools), "echo-tool")).text == "You said: Hi"


async def test_it_gives_one_answer_only() -> None:
    refusal = (await said(ask(n=2))).refusal
    assert isinstance(refusal, BadRequest)
    assert refusal.param == "n"


@pytest.mark.parametrize("messages", [[{}], [{"role": "user"}], [{"role": "user", "content": 5}], [{"role": 5, "content": [5]}]])
async def test_odd_messages_are_no_trouble(messages: list[Any]) -> None:
    assert (await said(ask(messages=messages))).text == "You said:"
