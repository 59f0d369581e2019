import asyncio
import gc
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from ailb.config import Server
from ailb.engines import bound, engine
from ailb.engines_hypercorn import Tidy
from tests.ailb.serving import SOON
from tests.ailb.test_engines import asked, hello, port

__all__ = ["port"]  # fixtures are found by their names here


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


def connections() -> int:
    return sum(isinstance(found, Tidy) for found in gc.get_objects())


async def test_a_connection_that_is_over_is_gone_without_the_collector(port: int) -> None:
    options = Server(port=port, engine="hypercorn")
    serving, _ = engine(hello, options, bound(options))
    stop = asyncio.Event()
    server = asyncio.ensure_future(serving(stop))
    gc.collect()
    gc.disable()
    try:
        _, waiting = await asyncio.open_connection("127.0.0.1", port)
        answer = await asyncio.wait_for(asked(port), SOON)
        assert answer.endswith(b"hello")
        async with asyncio.timeout(SOON):
            while connections() != 1:  # the one that says nothing
                await asyncio.sleep(0.001)
            waiting.close()
            while connections():
                await asyncio.sleep(0.001)
    finally:
        gc.enable()
    stop.set()
    await asyncio.wait_for(server, SOON)
