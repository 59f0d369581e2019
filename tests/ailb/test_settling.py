import asyncio
from collections.abc import Iterator, Sequence

import pytest
from structlog.testing import capture_logs

from ailb.dialect import Event
from ailb.exchange import Outcome, Settler
from ailb.gateway import Gateway
from ailb.settling import Settling
from ailb.testing import ask
from ailb.usage import Usage
from tests.ailb.serving import SOON, Upstream, said, snapshot, started


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


async def settling(*settlers: Settler, keep_events: bool = False) -> tuple[Settling, Gateway]:
    gateway = await started(snapshot(Upstream()))
    exchange = ask()
    exchange.keep_events = keep_events
    for settler in settlers:
        exchange.on_settle(settler)
    return Settling(exchange, gateway), gateway


class Settlers:
    """Every way in which a settler may end."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.told: list[Outcome] = []
        self.go = asyncio.Event()
        self.waiting = asyncio.Event()

    def plain(self, outcome: Outcome) -> None:
        self.ran.append("plain")
        self.told.append(outcome)

    def raises(self, outcome: Outcome) -> None:
        self.ran.append("raises")
        raise ValueError("plain bug")

    async def waits(self, outcome: Outcome) -> None:
        self.waiting.set()
        await self.go.wait()
        self.ran.append("waits")

    async def fails(self, outcome: Outcome) -> None:
        await asyncio.sleep(0)
        self.ran.append("fails")
        raise ValueError("late bug")

    async def cancelled(self, outcome: Outcome) -> None:
        self.ran.append("cancelled")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future


async def test_every_settler_runs_whatever_the_others_do() -> None:
    settlers = Settlers()
    settlers.go.set()
    order = [settlers.plain, settlers.waits, settlers.cancelled, settlers.fails, settlers.raises, settlers.plain, settlers.raises]
    end, gateway = await settling(*order)
    await asyncio.wait_for(end.run(), SOON)
    assert [settler.__name__ for settler in reversed(order)] == settlers.ran
    assert gateway._background == set()


async def test_those_that_do_not_wait_need_no_task() -> None:
    settlers = Settlers()
    end, _ = await settling(settlers.plain, settlers.plain)
    with pytest.raises(StopIteration):
        end.run().send(None)
    assert settlers.ran == ["plain", "plain"]


async def test_one_that_waits_is_waited_for_and_cancellation_does_not_reach_it() -> None:
    settlers = Settlers()
    end, gateway = await settling(settlers.plain, settlers.waits)
    task = asyncio.ensure_future(end.run())
    await asyncio.wait_for(settlers.waiting.wait(), SOON)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task], timeout=SOON)
    assert (True, []) == (task.cancelled(), settlers.ran)
    settlers.go.set()
    await gateway.stop()
    assert settlers.ran == ["waits", "plain"]


async def test_a_settler_is_told_how_it_ended() -> None:
    settlers = Settlers()
    end, _ = await settling(settlers.plain)
    end.end("complete")
    end.end("refused", 429)
    await end.run()
    (outcome,) = settlers.told
    assert ("refused", 429, True) == (outcome.status, outcome.http_status, outcome.seconds > 0)


async def test_nothing_is_told_twice() -> None:
    settlers = Settlers()
    end, _ = await settling(settlers.plain)
    await end.run()
    await end.run()
    assert settlers.ran == ["plain"]


@pytest.mark.parametrize(
    ("batches", "usage"),
    [
        ([[]], None),
        ([[said("a")], [said("b")]], None),
        ([[said("a"), Event(b"", Usage(1, 2))], [said("b")]], Usage(1, 2)),
        ([[Event(b"", Usage(1, 2))], [Event(b"", Usage(3, 4))]], Usage(3, 4)),
    ],
)
@pytest.mark.parametrize("keep", [True, False])
async def test_what_was_seen_is_in_the_outcome(batches: Sequence[Sequence[Event]], usage: Usage | None, keep: bool) -> None:
    end, _ = await settling(keep_events=keep)
    for batch in batches:
        end.see(batch)
    all_of_them = [event for batch in batches for event in batch]
    assert (all_of_them if keep else [], usage) == (end.outcome.events, end.outcome.usage)
    assert bool(all_of_them) is (end.outcome.first_event is not None)
