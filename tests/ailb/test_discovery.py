import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from ailb.config import Config
from ailb.discovery import discover
from ailb.errors import UpstreamSilent
from ailb.loader import Snapshot
from ailb.models import Models
from ailb.stack import Provider, stack
from ailb.testing import answers
from tests.ailb.mute import Mute

SOON = 10.0


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


class Listing(Mute):
    """One that lists what it is told to, one thing a time; an exception is raised, None is for ever."""

    def __init__(self, *lists: Any) -> None:
        self.lists = list(lists)
        self.asked = 0
        self.all_asked = asyncio.Event()

    async def models(self) -> list[str] | None:
        self.asked += 1
        if not self.lists:
            self.all_asked.set()
            await asyncio.Event().wait()
        found = self.lists.pop(0)
        if isinstance(found, Exception):
            raise found
        return list(found)


def snapshot(providers: dict[str, Provider], offers: dict[str, list[str]], **options: Any) -> Snapshot:
    config = Config.model_validate({"layer": [{"use": "routing"}], "provider": [{"name": name, **options} for name in providers]})
    at_once = [table.model_copy(update={"discover_seconds": 0.001}) for table in config.provider]
    return Snapshot(config.model_copy(update={"provider": at_once}), [], providers, Models(offers), stack([], answers("x")), "1")


async def stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_a_provider_lists_is_served_when_the_start_is_over() -> None:
    a, b = Listing(["m1", "m2"]), Listing(["m3"])
    shot = snapshot({"a": a, "b": b, "mute": Mute()}, {"a": [], "b": []}, discover=True)
    tasks = await discover(shot)
    assert ["m1", "m2", "m3"] == shot.models.names()
    assert len(tasks) == 2
    await stop(tasks)


@pytest.mark.parametrize(
    ("discover_it", "offers", "asked"), [(None, [], True), (None, ["m"], False), (False, [], False), (True, ["m"], True)]
)
async def test_who_is_asked(discover_it: bool | None, offers: list[str], asked: bool) -> None:
    provider = Listing(["new"])
    tasks = await discover(snapshot({"a": provider}, {"a": offers}, **({} if discover_it is None else {"discover": discover_it})))
    assert asked is bool(provider.asked)
    await stop(tasks)


@pytest.mark.parametrize("failure", [UpstreamSilent("refused"), ValueError("odd list")])
async def test_a_list_that_could_not_be_had_is_asked_for_again_and_changes_nothing(failure: Exception) -> None:
    provider = Listing(failure, failure, ["new"])
    shot = snapshot({"a": provider}, {"a": ["old"]}, discover=True)
    tasks = await discover(shot)
    assert ["old"] == shot.models.names()
    await asyncio.wait_for(provider.all_asked.wait(), SOON)
    assert ["new"] == shot.models.names()
    await stop(tasks)


async def test_slow_providers_hold_the_start_up_together_and_not_one_after_the_other() -> None:
    shot = snapshot({name: Listing() for name in "abcdefgh"}, {}, discover=True)
    tasks = await asyncio.wait_for(discover(shot), 4.0)
    assert len(tasks) == 8
    await stop(tasks)
