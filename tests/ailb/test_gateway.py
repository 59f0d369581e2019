import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.errors import ConfigError, LoopDetected, Refusal, Unavailable
from ailb.exchange import Exchange, Reply
from ailb.gateway import MOST_HOPS, Gateway
from ailb.loader import Snapshot
from ailb.stack import Next
from ailb.testing import StillClock
from tests.ailb.serving import SOON, Upstream, snapshot, started


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


class Opened:
    """A layer that opens and closes something."""

    def __init__(self, name: str, seen: list[str], failure: Exception | None = None) -> None:
        self.name = name
        self.seen = seen
        self.failure = failure

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        return await call_next(exchange)

    async def __aenter__(self) -> "Opened":
        if self.failure is not None:
            raise self.failure
        self.seen.append(f"{self.name} opened")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.seen.append(f"{self.name} closed")


class OpenedUpstream(Upstream):
    """A provider that opens and closes something."""

    def __init__(self, name: str, seen: list[str]) -> None:
        super().__init__()
        self._inner = Opened(name, seen)

    async def __aenter__(self) -> Opened:
        return await self._inner.__aenter__()

    async def __aexit__(self, *problem: Any) -> None:
        await self._inner.__aexit__(*problem)


def with_layers(*layers: Opened, **options: Any) -> Snapshot:
    return snapshot(Upstream(), layers, **options)


async def quiet(gateway: Gateway) -> None:
    """Until what runs in the background is done."""
    while gateway._background:
        await asyncio.wait(gateway._background, timeout=SOON)


async def test_layers_are_opened_in_the_onions_order_and_closed_in_reverse() -> None:
    seen: list[str] = []
    gateway = await started(with_layers(Opened("a", seen), Opened("b", seen)))
    await gateway.stop()
    assert seen == ["a opened", "b opened", "b closed", "a closed"]


async def test_a_layer_can_still_ask_providers_while_it_is_closed() -> None:
    seen: list[str] = []
    gateway = await started(snapshot(OpenedUpstream("provider", seen), [Opened("layer", seen)]))
    await gateway.stop()
    assert seen == ["provider opened", "layer opened", "layer closed", "provider closed"]


async def test_a_layer_that_cannot_open_closes_those_before_it() -> None:
    seen: list[str] = []
    with pytest.raises(LookupError):
        await started(with_layers(Opened("a", seen), Opened("b", seen, LookupError("no"))))
    assert seen == ["a opened", "a closed"]


class Stored(Opened):
    """A store."""

    healthy = True


async def test_it_greets_when_the_store_and_the_layers_are_open_and_not_before() -> None:
    seen: list[str] = []
    for problem in (None, LookupError("no")):
        shot = with_layers(Opened("a", seen, problem))
        gateway = Gateway(shot, with_layers, StillClock(), Stored("store", seen), greet=lambda _: seen.append("hello"))
        with suppress(LookupError):
            await gateway.start()
    assert seen == ["store opened", "a opened", "hello", "store opened", "store closed"]


async def test_the_store_is_opened_first_closed_last_and_kept_meanwhile() -> None:
    seen: list[str] = []
    gateway = await started(with_layers(Opened("a", seen)), lambda: with_layers(Opened("b", seen)), Stored("store", seen))
    await gateway.reload()
    await quiet(gateway)
    await gateway.stop()
    assert seen == ["store opened", "a opened", "b opened", "a closed", "b closed", "store closed"]


async def test_a_layer_that_cannot_open_closes_the_store_too() -> None:
    seen: list[str] = []
    with pytest.raises(LookupError):
        await started(with_layers(Opened("b", seen, LookupError("no"))), store=Stored("store", seen))
    assert seen == ["store opened", "store closed"]


async def test_why_it_could_not_start_is_kept() -> None:
    problem = ConfigError("[store].url", "no")
    shot = with_layers(Opened("a", [], problem))
    gateway = Gateway(shot, lambda: shot, clock=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        await gateway.start()
    assert gateway.failure is problem


async def test_before_the_start_and_after_the_end_nothing_is_served() -> None:
    shot = with_layers()
    gateway = Gateway(shot, lambda: shot, clock=None)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(Unavailable):
            gateway.admit()
        with pytest.raises(Unavailable):
            _ = gateway.snapshot
        await gateway.start()
        gateway.release(gateway.admit())
        await gateway.stop()


async def test_as_many_are_admitted_as_the_config_says() -> None:
    gateway = await started(with_layers(max_requests=2))
    live = [gateway.admit(), gateway.admit()]
    with pytest.raises(Unavailable, match="max_requests") as refused:
        gateway.admit()
    assert refused.value.headers == {"retry-after": "1"}
    gateway.release(live[0])
    gateway.release(gateway.admit())


async def test_a_reload_is_for_new_requests_and_old_ones_keep_what_they_began_with() -> None:
    seen: list[str] = []
    shots = [with_layers(Opened(name, seen), version=name) for name in ("one", "two")]
    gateway = await started(shots[0], lambda: shots[1])
    old = gateway.admit()
    assert await gateway.reload()
    new = gateway.admit()
    assert (shots[0], shots[1], shots[1]) == (old.snapshot, new.snapshot, gateway.snapshot)
    assert seen == ["one opened", "two opened"]
    gateway.release(new)
    gateway.release(old)
    await quiet(gateway)
    assert seen == ["one opened", "two opened", "one closed"]


class Lists(Upstream):
    async def models(self) -> list[str] | None:
        return ["m"]


async def test_a_snapshot_that_only_serves_to_its_end_asks_no_provider_any_more() -> None:
    shot = snapshot(Lists())
    table = shot.config.provider[0].model_copy(update={"name": "fake", "discover": True, "health_seconds": 3600.0})
    asking = replace(shot, config=shot.config.model_copy(update={"provider": [table]}))
    gateway = await started(asking, lambda: snapshot(Upstream()))
    live = gateway.admit()
    assert 2 == len(live.tasks)
    await gateway.reload()
    await asyncio.wait(live.tasks, timeout=SOON)
    assert ([True, True], 1) == ([task.cancelled() for task in live.tasks], live.open)
    gateway.release(live)
    await quiet(gateway)
    await gateway.stop()


async def test_a_reload_with_nobody_there_closes_the_old_at_once() -> None:
    seen: list[str] = []
    gateway = await started(with_layers(Opened("one", seen)), lambda: with_layers(Opened("two", seen)))
    await gateway.reload()
    await quiet(gateway)
    assert seen == ["one opened", "two opened", "one closed"]


@pytest.mark.parametrize("failure", [ConfigError("[server].port", "odd"), OSError("no file"), LookupError("a layer's own")])
@pytest.mark.parametrize("opening", [True, False])
async def test_a_bad_reload_changes_nothing(failure: Exception, opening: bool) -> None:
    seen: list[str] = []
    first = with_layers(Opened("one", seen))

    def load() -> Snapshot:
        if opening:
            return with_layers(Opened("new", seen), Opened("bad", seen, failure))
        raise failure

    gateway = await started(first, load)
    assert not await gateway.reload()
    assert gateway.snapshot is first
    assert seen == ["one opened", *(["new opened", "new closed"] if opening else [])]
    gateway.release(gateway.admit())


async def test_a_hundred_reloads_leave_one_snapshot() -> None:
    seen: list[str] = []
    gateway = await started(with_layers(Opened("x", seen)), lambda: with_layers(Opened("x", seen)))
    held = [gateway.admit()]
    for _ in range(100):
        await gateway.reload()
        held.append(gateway.admit())
        gateway.release(held.pop(0))
    gateway.release(held.pop())
    await quiet(gateway)
    assert (101, 100, 0) == (seen.count("x opened"), seen.count("x closed"), gateway._open[0])


class Serving:
    """An exchange that ends when it is cut, if it is a good one."""

    def __init__(self, gateway: Gateway, *, good: bool = True) -> None:
        self.gateway = gateway
        self.good = good
        self.live = gateway.admit()
        self.refusals: list[Refusal] = []
        gateway.serving.add(self)

    def cut(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)
        if self.good:
            self.end()

    def end(self) -> None:
        self.gateway.serving.discard(self)
        self.gateway.release(self.live)


async def test_a_drain_waits_for_those_under_way_and_admits_nobody() -> None:
    gateway = await started(with_layers(drain_seconds=SOON))
    serving = Serving(gateway)
    draining = asyncio.create_task(gateway.drain())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="shutting down"):
        gateway.admit()
    assert not draining.done()
    serving.end()
    await asyncio.wait_for(draining, SOON)
    assert serving.refusals == []


@pytest.mark.parametrize("good", [True, False])
async def test_what_is_left_at_the_deadline_is_cut_and_a_drain_never_fails(good: bool) -> None:
    gateway = await started(with_layers(drain_seconds=0.01))
    serving = Serving(gateway, good=good)
    await asyncio.wait_for(gateway.drain(), SOON)
    assert [503] == [refusal.status for refusal in serving.refusals]


async def test_a_drain_with_nobody_there_is_over_at_once_also_before_the_start() -> None:
    shot = with_layers()
    gateway = Gateway(shot, lambda: shot, clock=None)  # type: ignore[arg-type]
    await asyncio.wait_for(gateway.drain(), SOON)
    serving = await started(shot)
    await asyncio.wait_for(serving.drain(), SOON)
    assert [True, True] == [gateway.draining, serving.draining]


async def test_the_end_waits_for_what_runs_in_the_background() -> None:
    gateway = await started(with_layers())
    seen: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0)
        seen.append("done")

    gateway.background(work())
    await gateway.stop()
    assert seen == ["done"]


async def test_requests_that_come_back_are_found() -> None:
    gateway = await started(with_layers())
    mine = gateway.via("")
    assert mine == f"1.1 ailb-{gateway.id}"
    assert gateway.via("1.1 proxy, 1.1 ailb-other") == f"1.1 ailb-other, {mine}"
    for received in (mine, f"1.1 proxy,{mine}", f"{mine}, 1.1 ailb-other", ", ".join(f"1.1 ailb-{hop}" for hop in range(MOST_HOPS))):
        with pytest.raises(LoopDetected):
            gateway.via(received)


async def test_now_is_in_whole_seconds() -> None:
    assert (await started(with_layers())).now() == 1_700_000_000
