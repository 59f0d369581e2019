from typing import Any

import pytest

from ailb.clock import Clock
from ailb.errors import BadRequest, UpstreamBroken
from ailb.exchange import Exchange, Outcome, Reply
from ailb.stack import Next
from ailb.testing import TARGET, StillClock, answers, ask, refuses, run
from ailb.usage import Usage


class MyLayer:
    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        exchange.notes["mine"] = True
        return await call_next(exchange)


async def test_the_example_of_the_module_is_true() -> None:
    result = await run(MyLayer(), ask("Hello"), answers("Hi there"))
    assert "Hi there" == result.text
    assert {"mine": True} == result.exchange.notes


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_comes_in_its_pieces_or_at_once(stream: bool) -> None:
    result = await run([], ask(stream=stream), answers("Hi", " there"))
    assert ("Hi there", "Hi there", Usage(3, 2)) == (result.text, result.outcome.text, result.outcome.usage)
    assert ["", "Hi", " there", ""] == [event.text for event in result.events] if stream else len(result.events) == 1
    assert (TARGET, None) == (result.exchange.target, result.refusal)


@pytest.mark.parametrize(("asked", "events"), [({}, 4), ({"stream_options": {"include_usage": True}}, 5)])
async def test_a_streams_usage_goes_to_those_who_asked(asked: dict[str, Any], events: int) -> None:
    result = await run([], ask(stream=True, **asked), answers("Hi", " there", usage=Usage(9, 9)))
    assert (events, Usage(9, 9)) == (len(result.events), result.outcome.usage)


async def test_a_client_may_leave() -> None:
    result = await run([], ask(stream=True), answers("Hi", " there"), leave_after=2)
    assert ("disconnected", "Hi", None) == (result.outcome.status, result.text, result.outcome.usage)


async def test_a_refusal_is_an_outcome() -> None:
    refusal = BadRequest("no")
    result = await run(MyLayer(), ask(), refuses(refusal))
    assert ("refused", 400, refusal, "") == (result.outcome.status, result.outcome.http_status, result.refusal, result.text)


async def test_an_answer_that_breaks_is_closed_and_settled_last_registered_first() -> None:
    settled: list[str] = []

    async def breaks(exchange: Exchange) -> Reply:
        inner = await answers("Hi")(exchange)

        def see(event: object) -> None:
            if len(settled) == 0:
                settled.append("seen")
                raise UpstreamBroken("cut")

        inner.each(see)
        return Reply(inner, close=lambda: settled.append("closed"))

    async def waits(outcome: Outcome) -> None:
        settled.append(f"first {outcome.status}")

    exchange = ask()
    exchange.on_settle(waits)
    exchange.on_settle(lambda outcome: settled.append("second"))
    result = await run([], exchange, breaks)
    assert ["seen", "closed", "second", "first refused"] == settled
    assert result.outcome.http_status == 502


def test_what_is_asked_can_be_anything() -> None:
    exchange = ask("Hi", headers={"x-user-id": "u"}, model="other", n=2)
    assert exchange.prompt.body == {"model": "other", "messages": [{"role": "user", "content": "Hi"}], "n": 2}
    assert exchange.headers == {"x-user-id": "u"}


def test_a_still_clock_moves_when_told() -> None:
    clock: Clock = (still := StillClock(100.0))
    still.advance(2.5)
    assert (102.5, 102.5) == (clock.monotonic(), clock.unix())
