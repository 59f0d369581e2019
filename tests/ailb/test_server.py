import asyncio
import gc
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from ailb import server
from ailb.engines import GRACE_SECONDS
from ailb.errors import ConfigError
from ailb.gateway import Gateway
from tests.ailb.serving import SOON, Upstream, snapshot, started


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    before = structlog.get_config()
    with capture_logs() as lines:
        yield lines
    structlog.configure(**before)


class Served:
    """A server that serves until it is told to stop, or ends by itself."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.began = asyncio.Event()
        self.ended = False
        self.failure = failure

    async def __call__(self, stop: asyncio.Event) -> None:
        self.began.set()
        if self.failure is not None:
            raise self.failure
        await stop.wait()
        self.ended = True


async def running(gateway: Gateway, served: Served) -> asyncio.Task[None]:
    task = asyncio.create_task(server._run(gateway, served))
    await asyncio.wait_for(served.began.wait(), SOON)
    return task


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_stops(number: signal.Signals, lines: list[Any]) -> None:
    gateway, served = await started(snapshot(Upstream())), Served()
    task = await running(gateway, served)
    os.kill(os.getpid(), number)
    await asyncio.wait_for(task, SOON)
    assert (True, True) == (served.ended, gateway.draining)
    assert ["draining", "stopped"] == [line["event"] for line in lines][-2:]


async def test_requests_under_way_are_finished_first(lines: list[Any]) -> None:
    gateway, served = await started(snapshot(Upstream())), Served()
    live = gateway.admit()
    task = await running(gateway, served)
    os.kill(os.getpid(), signal.SIGTERM)
    while not gateway.draining:
        await asyncio.sleep(0)
    assert not served.ended
    gateway.release(live)
    await asyncio.wait_for(task, SOON)
    assert served.ended


@pytest.mark.parametrize("ending", [True, False])
async def test_what_is_still_written_down_is_waited_for_but_no_server_that_hangs(ending: bool, lines: list[Any]) -> None:
    gateway, ended = await started(snapshot(Upstream())), list[bool]()

    class Ending(Served):
        async def __call__(self, stop: asyncio.Event) -> None:
            await super().__call__(stop)
            if ending:
                await gateway.stop()
                await asyncio.sleep(GRACE_SECONDS + 0.2)  # longer than sockets get
            else:
                await asyncio.Event().wait()
            ended.append(True)

    task = await running(gateway, Ending())
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, SOON)
    assert [True] * ending == ended


async def test_a_signal_before_anything_was_started_stops_too(lines: list[Any]) -> None:
    shot = snapshot(Upstream())
    task = await running(Gateway(shot, lambda: shot, clock=None), Served())  # type: ignore[arg-type]
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, SOON)
    assert lines[-1]["event"] == "stopped"


async def test_sighup_reloads(lines: list[Any]) -> None:
    second = snapshot(Upstream(), version="2")
    gateway = await started(snapshot(Upstream()), lambda: second)
    task = await running(gateway, Served())
    os.kill(os.getpid(), signal.SIGHUP)
    while gateway.snapshot is not second:
        await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, SOON)
    assert "reloaded" in [line["event"] for line in lines]


async def test_a_server_that_cannot_serve_says_why(lines: list[Any]) -> None:
    with pytest.raises(OSError, match="in use"):
        await asyncio.wait_for(server._run(await started(snapshot(Upstream())), Served(OSError("in use"))), SOON)


@pytest.mark.parametrize("end", [RuntimeError("lifespan failed"), SystemExit(3)])
async def test_what_the_configuration_is_to_blame_for_is_told_as_such(end: BaseException) -> None:
    gateway = await started(snapshot(Upstream()))
    with pytest.raises(type(end)), server._blamed(gateway):
        raise end
    gateway.failure = ConfigError("[store].url", "another gateway has it")
    with pytest.raises(ConfigError, match="another gateway"), server._blamed(gateway):
        raise end


def test_a_configuration_that_cannot_be_served_is_refused_before_anything_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        server.serve(tmp_path / "missing.toml", {})


def test_every_file_that_may_be_opened_is_allowed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    server._raise_file_limit()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert (before[1], hard) == (hard, soft)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(("key", "events"), [(None, ["serving", "local mode"]), ("admin-key-of-some-length", ["serving"])])
def test_the_greeting_warns_of_local_mode(key: str | None, events: list[str], lines: list[Any]) -> None:
    shot = snapshot(Upstream())
    auth = shot.config.auth.model_validate({"admin_key": key})
    server._greet(shot.__class__(shot.config.model_copy(update={"auth": auth}), [], {}, shot.models, shot.call, "1"))
    assert events == [line["event"].split(":")[0] for line in lines][: len(events)]
    assert "admin-key" not in str(lines)


def test_the_collector_leaves_alone_what_was_there_at_the_start() -> None:
    before = gc.get_threshold()
    try:
        server._spare_the_collector()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold() == server.COLLECT_AFTER
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
