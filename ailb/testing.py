"""What a layer's test needs: something to ask, somebody who answers, and a way to run the one through the other.

result = await run(MyLayer(), ask("Hello"), answers("Hi there"))
assert "Hi there" == result.text
"""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from ailb.chat import Chunks, completion
from ailb.clock import Clock
from ailb.dialect import Event, Target
from ailb.errors import Refusal
from ailb.exchange import Exchange, Outcome, Reply, batches_of
from ailb.prompt import Prompt
from ailb.stack import Layer, Next, stack
from ailb.usage import Usage

TARGET = Target("fake", "fake-model")


class StillClock(Clock):
    """Time that passes only when told."""

    def __init__(self, unix: float = 1_700_000_000.0) -> None:
        self._now = unix

    def monotonic(self) -> float:
        return self._now

    def unix(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


@dataclass(slots=True)
class Result:
    """What came of a run: the events that a client would get, and the outcome that the settlers got."""

    exchange: Exchange
    outcome: Outcome
    events: list[Event]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events)

    @property
    def refusal(self) -> Refusal | None:
        return self.outcome.refusal


def ask(text: str = "Hello", *, headers: dict[str, str] | None = None, **body: Any) -> Exchange:
    """An exchange of a client that asks for a chat completion; `body` adds to or replaces its members."""
    members = {"model": "fake-model", "messages": [{"role": "user", "content": text}], **body}
    headers = headers or {}
    return Exchange(Prompt(members, headers), id="req_test", path="/v1/chat/completions", headers=headers, peer="127.0.0.1")


def answers(*texts: str, usage: Usage | None = None) -> Next:
    """An innermost that answers with `texts`, one event each if the prompt is to be streamed."""
    usage = usage or Usage(input=3, output=len(texts))

    async def innermost(exchange: Exchange) -> Reply:
        exchange.target = exchange.target or TARGET
        return Reply(batches_of(_events(exchange.prompt, texts, usage)))

    return innermost


def refuses(refusal: Refusal) -> Next:
    """An innermost that raises `refusal`."""

    async def innermost(exchange: Exchange) -> Reply:
        raise refusal

    return innermost


async def run(layers: Layer | Sequence[Layer], exchange: Exchange, innermost: Next, *, leave_after: int | None = None) -> Result:
    """Sends the exchange through the layers as the edge does: relays every event, then settles with the outcome.

    `leave_after` so many events that it got the client leaves.
    """
    onion = stack(layers if isinstance(layers, Sequence) else [layers], innermost)
    outcome = Outcome("complete", 200, 0.0)
    events: list[Event] = []
    reply = None
    try:
        reply = await onion(exchange)
        async for batch in reply:
            events += [event for event in batch if not event.hidden]
            outcome.events += batch
            outcome.usage = next((event.usage for event in reversed(batch) if event.usage), outcome.usage)
            if leave_after is not None and len(events) >= leave_after:
                outcome.status = "disconnected"
                break
    except Refusal as refusal:
        outcome.refusal = refusal
        outcome.status = "broken" if events else "refused"
        outcome.http_status = 200 if events else refusal.status
    if reply is not None:
        reply.close()
    for settler in reversed(exchange.settlers):
        waiting = settler(outcome)
        if isawaitable(waiting):
            await waiting
    return Result(exchange, outcome, events)


def _events(prompt: Prompt, texts: Sequence[str], usage: Usage) -> list[Event]:
    if not prompt.stream:
        return [completion("chatcmpl-fake", prompt.model, 0, {"content": "".join(texts)}, finish="stop", usage=usage)]
    chunks = Chunks("chatcmpl-fake", prompt.model, 0, wants_usage=prompt.wants_usage)
    said = [chunks.delta({"content": text}) for text in texts]
    return [chunks.delta({"role": "assistant", "content": ""}), *said, chunks.delta({}, "stop"), chunks.usage(usage)]
