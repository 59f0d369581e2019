"""One upstream for all, and one gateway for each engine; a test that needs another config launches its own."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ailb.store.conftest import fresh, postgres
from tests.e2e.gateway import Gateway, config, free_port, providers
from tests.e2e.upstream import Upstream

__all__ = ["postgres"]  # fixtures are found by their names here

Launch = Callable[..., AbstractContextManager[Gateway]]


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream
    assert upstream.failures == []


@pytest.fixture(scope="session")
def hole() -> Iterator[int]:
    """A port where connecting never comes to an end: its queue is full and nobody accepts."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture(scope="session", params=["hypercorn", "uvicorn"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def launch(engine: str, upstream: Upstream, hole: int, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """`with launch(extra_toml, **server_options)`: a gateway of one's own, which must not complain. `routing`: more lines of that layer.
    `at`: a port that `env` names.
    """

    @contextmanager
    def launch(extra: str = "", env: dict[str, str] | None = None, at: int = 0, routing: str = "", **server: Any) -> Iterator[Gateway]:
        port = free_port()
        file: Path = tmp_path_factory.mktemp(engine) / "config.toml"
        file.write_text(config(engine, port, routing + providers(upstream.port, port, free_port(), hole) + extra, **server))
        with Gateway(file, at or port, env) as gateway:
            yield gateway
        gateway.check()

    return launch


@pytest.fixture(scope="session")
def shared(launch: Launch) -> Iterator[Gateway]:
    with launch() as gateway:
        yield gateway


@pytest.fixture
def gateway(shared: Gateway) -> Iterator[Gateway]:
    """The engine's shared gateway; the test fails when the gateway complains during it."""
    yield shared
    shared.check()
    assert shared.process.poll() is None


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def new_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """The URL of a store of one's own, of each kind in turn."""
    if request.param == "sqlite":
        yield lambda: f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('store')}/ailb.db"
        return
    server, databases = request.getfixturevalue("postgres"), AsyncExitStack()
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        yield lambda: runner.run(databases.enter_async_context(fresh(server))).reveal()
        runner.run(databases.aclose())
