"""Hundreds of streams of which many go wrong, and hundreds of whole answers: nothing stays behind. `make soak` is the long way."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import pytest

from benchmarks import tasks
from tests.e2e.conftest import Launch
from tests.e2e.gateway import Gateway
from tests.e2e.raw import Client
from tests.e2e.scripts import fails, hello, silent, stalls
from tests.e2e.upstream import Upstream
from tests.e2e.wire import DONE, asked, frames

ROOT = Path(__file__).resolve().parents[2]
STREAMS, WHOLE, AT_ONCE = 400, 800, 16
MORE = 5
POOLED = AT_ONCE
"""Connections to the provider that stay open, to be used again."""
SECONDS = 15

Held = tuple[int, int, int]
Leave = Callable[[Client], None]


@pytest.fixture
def gateway(launch: Launch) -> Iterator[Gateway]:
    """One that tells how many tasks it has, and does not stop asking a provider that fails."""
    watched = [f"{tasks.__name__}:{tasks.Tasks.__name__}"]
    with launch(env={"PYTHONPATH": str(ROOT)}, middleware=watched) as gateway:
        yield gateway


def held(gateway: Gateway) -> Held:
    """Tasks, descriptors, and requests that are being served."""
    descriptors = gateway.descriptors
    with gateway.client() as client:
        (serving,) = re.findall(rb"^ailb_open_exchanges (\S+)$", client.get("/metrics").answer().body, re.MULTILINE)
        return int(client.get(tasks.PATH).answer().body), descriptors, int(float(serving))


def all_gone(gateway: Gateway, before: Held) -> bool:
    """Whether it comes back to what it held before, within the bound. It is asked last: Hypercorn keeps a connection whose client left for
    seconds, and those that ask are such clients, too."""
    deadline = monotonic() + SECONDS
    while monotonic() < deadline:
        if gateway.descriptors <= before[1] + POOLED + MORE:
            here, _, serving = held(gateway)
            if here <= before[0] + MORE and serving == 0:
                return True
        sleep(0.3)  # The gateway has no event to offer for it.
    return False


def leave(gateway: Gateway, model: str, how: Leave, *, after: bytes) -> None:
    with gateway.client() as client:
        client.post(asked(model, stream=True))
        if after:
            client.head()
            client.until(after)
        how(client)


def stream(gateway: Gateway, models: dict[str, str], number: int) -> str:
    """What went otherwise than it should: three of ten are left by their client, one fails."""
    match number % 10:
        case 0:
            leave(gateway, models["silent"], Client.close, after=b"")
        case 1:
            leave(gateway, models["stalls"], Client.reset, after=b"first")
        case 2:
            leave(gateway, models["stalls"], Client.close, after=b"first")
        case 3:
            answer = gateway.chat(models[f"fails {number // 10 % 10}"], stream=True)
            return "" if answer.status == 500 else f"{number}: {answer.status} {answer.body[:500]!r}"
        case _:
            body = gateway.chat(models["hello"], stream=True).body
            return "" if frames(body)[-1] in DONE else f"{number}: {body[-500:]!r}"
    return ""


def models_of(upstream: Upstream) -> dict[str, str]:
    """Those that fail take turns, so that none fails often enough for its circuit to open."""
    failing = {f"fails {number}": upstream.on(fails(500)) for number in range(10)}
    return {"hello": upstream.on(hello), "silent": upstream.on(silent), "stalls": upstream.on(stalls), **failing}


def test_streams_leave_nothing_behind(gateway: Gateway, upstream: Upstream) -> None:
    models = models_of(upstream)
    assert [""] * 10 == [stream(gateway, models, number) for number in range(10)]
    before = held(gateway)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        went = list(pool.map(lambda number: stream(gateway, models, number), range(STREAMS)))
    assert [""] * STREAMS == went
    assert all_gone(gateway, before), f"{before} became {held(gateway)}"


def test_whole_answers_leave_nothing_behind(gateway: Gateway, upstream: Upstream) -> None:
    model = upstream.on(hello)
    assert gateway.chat(model).status == 200
    before = held(gateway)

    def ask(_: int) -> set[int]:
        with gateway.client() as client:
            return {client.post(asked(model)).answer().status for _ in range(WHOLE // AT_ONCE)}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert set.union(*pool.map(ask, range(AT_ONCE))) == {200}
    assert all_gone(gateway, before), f"{before} became {held(gateway)}"
