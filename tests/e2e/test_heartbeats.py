"""A silent upstream (FAULTS B16): comments between events keep the connection awake, and the official SDKs do not mind."""

import asyncio

import anthropic
import openai

from tests.e2e.gateway import Gateway
from tests.e2e.scripts import fails, hello
from tests.e2e.upstream import Script, Talk, Upstream
from tests.e2e.wire import DONE, STOP, asked, error_of, said, token

BEATS = 1.3
"""Seconds of silence: two heartbeats of 0.5 s."""


def after(seconds: float, script: Script) -> Script:
    async def late(talk: Talk) -> None:
        await asyncio.sleep(seconds)
        await script(talk)

    return late


async def halting(talk: Talk) -> None:
    """Silence first, then between two events, then in the middle of one."""
    await asyncio.sleep(BEATS)
    await talk.stream(token("he"))
    await asyncio.sleep(BEATS)
    middle = token("llo")
    await talk.stream(middle[:30])
    await asyncio.sleep(BEATS)
    await talk.end(middle[30:], STOP, DONE)


def test_comments_come_while_the_upstream_is_silent_and_only_between_events(gateway: Gateway, upstream: Upstream) -> None:
    go = upstream.flag()

    async def script(talk: Talk) -> None:
        await go.reached()
        await hello(talk)

    with gateway.client() as client:
        answer = client.post(asked(upstream.on(script), stream=True)).head()
        assert answer.status == 200
        assert (answer.header("content-type") or "").startswith("text/event-stream")
        chunks = client.chunks()
        beats = [next(chunks), next(chunks)]
        assert all(beat.startswith(b":") and beat.endswith(b"\n\n") for beat in beats)
        go.set()
        assert said(b"".join(chunks)) == "hello"


def test_the_openai_sdk_reads_a_halting_stream(gateway: Gateway, upstream: Upstream) -> None:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key="any", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="a/" + upstream.on(halting), messages=[{"role": "user", "content": "hi"}], stream=True
        )
        assert [c.choices[0].delta.content for c in stream if c.choices and c.choices[0].delta.content] == ["he", "llo"]


def test_the_anthropic_sdk_reads_a_halting_stream(gateway: Gateway, upstream: Upstream) -> None:
    with (
        anthropic.Anthropic(base_url=f"http://127.0.0.1:{gateway.port}", api_key="any", max_retries=0) as client,
        client.messages.stream(model="a/" + upstream.on(halting), max_tokens=10, messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        assert list(stream.text_stream) == ["he", "llo"]


def test_a_failure_behind_a_heartbeat_is_an_error_event(gateway: Gateway, upstream: Upstream) -> None:
    answer = gateway.chat(
        "a/" + upstream.on(after(BEATS, fails(400, {"error": {"message": "odd", "type": "invalid_request_error"}}))), stream=True
    )
    assert answer.status == 200
    error = error_of(answer.body)
    assert error is not None
    assert (error["message"], error["type"]) == ("odd", "invalid_request_error")


def test_failing_over_is_still_possible_behind_a_heartbeat(gateway: Gateway, upstream: Upstream) -> None:
    answer = gateway.chat(upstream.on(after(BEATS, fails(500)), b=hello), stream=True)
    assert answer.body.startswith(b":")
    assert said(answer.body) == "hello"
