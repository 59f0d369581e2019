import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.aside import Aside
from ailb.errors import UpstreamBroken, UpstreamSilent
from ailb.exchange import Caller, Exchange, Outcome, Reply, batches_of
from ailb.testing import answers, refuses

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Sum it up."}]}
ANN = Caller("ann")


async def test_an_answer_is_all_its_events_and_usage() -> None:
    outcome = await Aside(answers("It", " was.")).ask(ANN, "req_1-summary", ASKED)
    assert ("It was.", "complete", 200, 2) == (outcome.text, outcome.status, outcome.http_status, outcome.usage and outcome.usage.output)


async def test_the_caller_and_the_id_are_in_the_exchange() -> None:
    seen: list[Exchange] = []

    async def look(exchange: Exchange) -> Reply:
        seen.append(exchange)
        return await answers("x")(exchange)

    await Aside(look).ask(ANN, "req_1-summary", ASKED)
    assert [("ann", "req_1-summary", "m")] == [(e.caller.user, e.id, e.prompt.model) for e in seen]


async def test_what_went_wrong_is_in_the_outcome() -> None:
    silent = UpstreamSilent("refused")
    outcome = await Aside(refuses(silent)).ask(ANN, "x", ASKED)
    assert ("refused", silent) == (outcome.status, outcome.refusal)


async def test_an_answer_that_breaks_is_kept_as_far_as_it_went() -> None:
    cut = UpstreamBroken("cut")

    async def breaks(exchange: Exchange) -> Reply:
        whole = [event for batch in [b async for b in await answers("It")(exchange)] for event in batch]

        def events() -> Any:
            yield from whole
            raise cut

        return Reply(batches_of(events()))

    outcome = await Aside(breaks).ask(ANN, "x", ASKED)
    assert ("broken", "It", cut) == (outcome.status, outcome.text, outcome.refusal)


class Settled:
    """An innermost that answers or waits for ever, and keeps what its settlers were told."""

    def __init__(self, *, waits: bool = False) -> None:
        self.outcomes: list[Outcome] = []
        self.waits = waits
        self.closed = 0

    async def __call__(self, exchange: Exchange) -> Reply:
        async def slowly(outcome: Outcome) -> None:
            await asyncio.sleep(0)
            self.outcomes.append(outcome)

        def wrong(outcome: Outcome) -> None:
            raise ValueError("a bug")

        exchange.on_settle(slowly)
        exchange.on_settle(wrong)
        if self.waits:
            await asyncio.Event().wait()
        events = [event for batch in [b async for b in await answers("x")(exchange)] for event in batch]
        return Reply(batches_of(events), close=self._close)

    def _close(self) -> None:
        self.closed += 1


async def test_it_is_closed_and_settled_whatever_one_of_the_settlers_does() -> None:
    innermost = Settled()
    with capture_logs() as logs:
        outcome = await Aside(innermost).ask(ANN, "x", ASKED)
    assert ([outcome], 1, ["bug"]) == (innermost.outcomes, innermost.closed, [line["event"] for line in logs])


async def test_it_is_settled_when_it_is_cancelled() -> None:
    innermost = Settled(waits=True)
    with capture_logs():
        task = asyncio.create_task(Aside(innermost).ask(ANN, "x", ASKED))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ["disconnected"] == [outcome.status for outcome in innermost.outcomes]


async def test_without_an_onion_it_says_so() -> None:
    with pytest.raises(LookupError):
        await Aside().ask(ANN, "x", ASKED)
