"""Checks run as fast as they can: one is done when the next one asks."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.clock import Clock
from ailb.config import Config
from ailb.dialect import Target
from ailb.errors import UpstreamBroken, UpstreamRefusal, UpstreamSilent
from ailb.health import CHECKS, Health, Healths
from ailb.health_checks import look_after
from ailb.loader import Snapshot
from ailb.models import Models
from ailb.stack import Provider, stack
from ailb.tally import Tally
from ailb.testing import answers
from tests.ailb.mute import Mute

SOON = 10.0
SILENT, BROKEN = UpstreamSilent("refused"), UpstreamBroken("no list")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


class Listing(Mute):
    """One that lists a thing, or raises one, each time; then it takes for ever, and all before is told."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.told = asyncio.Event()

    async def models(self) -> list[str] | None:
        if not self.results:
            self.told.set()
            await asyncio.Event().wait()
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return ["m"]


def snapshot(providers: dict[str, Provider], **options: Any) -> Snapshot:
    config = Config.model_validate({"layer": [{"use": "routing"}], "provider": [{"name": name, **options} for name in providers]})
    fast = {"health_seconds": 0.001} if options.get("health_seconds") else {}
    tables = [table.model_copy(update=fast) for table in config.provider]
    return Snapshot(config.model_copy(update={"provider": tables}), [], providers, Models({}), stack([], answers("x")), "1")


async def checked(shot: Snapshot, *providers: Listing) -> None:
    tasks = look_after(shot, Clock())
    for provider in providers:
        await asyncio.wait_for(provider.told.wait(), SOON)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def opened(health: Health) -> Health:
    for _ in range(health.breaker.after):
        health.breaker.failed(Clock().monotonic())
    return health


@pytest.mark.parametrize(
    ("results", "failures", "is_open"),
    [
        ([["m"]], 0, False),
        ([SILENT] * 4, 4, False),
        ([SILENT] * 5, 5, True),
        ([BROKEN, UpstreamRefusal(500, "ill"), UpstreamRefusal(503, "ill"), SILENT, SILENT], 5, True),
        ([UpstreamRefusal(401, "bad key"), UpstreamRefusal(404, "no list"), UpstreamRefusal(429, "too often")] * 5, 0, False),
        ([ValueError("odd list")] * 6, 0, False),
        ([*[SILENT] * 4, ["m"]], 4, False),
        ([*[SILENT] * 5, ["m"]], 4, False),
        ([*[SILENT] * 5, ["m"], SILENT], 5, True),
    ],
)
async def test_what_comes_of_checks(results: list[Any], failures: int, is_open: bool) -> None:
    provider = Listing(*results)
    shot = snapshot({"a": provider}, health_seconds=1.0)
    breakers = [shot.healths.of(target).breaker for target in (Target("a", "x"), Target("a", "y"), Target("a", "x", credential=1))]
    await checked(shot, provider)
    assert [(failures, is_open)] * 3 == [(breaker.failures, breaker.opened is not None) for breaker in breakers]


async def test_each_is_counted_by_what_it_told() -> None:
    provider, tally = Listing(["m"], ["m"], SILENT, UpstreamRefusal(401, "bad key"), ValueError("odd list")), Tally()
    await checked(replace(snapshot({"a": provider}, health_seconds=1.0), healths=Healths(tally)), provider)
    assert {"well": 2, "ill": 1, "unknown": 2} == {result: count for (_, _, result), (count,) in tally.each(CHECKS)}


async def test_an_open_circuit_is_closed_until_the_next_failure() -> None:
    provider = Listing(["m"])
    shot = snapshot({"a": provider}, health_seconds=1.0)
    breaker = opened(shot.healths.of(Target("a", "x"))).breaker
    await checked(shot, provider)
    now = Clock().monotonic()
    assert "closed" == breaker.state(now)
    breaker.failed(now)
    assert "open" == breaker.state(now)


async def test_a_provider_speaks_only_for_itself() -> None:
    well, ill = Listing(["m"]), Listing(*[SILENT] * 5)
    shot = snapshot({"well": well, "ill": ill}, health_seconds=1.0)
    down, up = opened(shot.healths.of(Target("other", "x"))), shot.healths.of(Target("well", "x"))
    await checked(shot, well, ill)
    assert ("circuit open", "") == (down.bars(Clock().monotonic()), up.bars(Clock().monotonic()))


async def test_nobody_is_asked_who_need_not_or_cannot_be() -> None:
    assert [] == look_after(snapshot({"a": Listing()}), Clock())
    assert [] == look_after(snapshot({"a": Mute()}, health_seconds=1.0), Clock())
