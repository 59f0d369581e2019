"""Rate limits on a real gateway (FAULTS A1, B1-B3): exactly as many as may, and no slot is lost with its client."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from time import monotonic, sleep, time

import pytest

from tests.e2e.gateway import PATIENT, Gateway, free_port, provider, table
from tests.e2e.raw import Answer, Client
from tests.e2e.scripts import hello, silent, stalls
from tests.e2e.upstream import Upstream
from tests.e2e.wire import asked

SLOW_SECONDS = 15
"""What a burst takes on a machine that is busy with other things."""

LIMITS = {"requests_per_minute": 100, "tokens_per_minute": 100_000, "max_parallel": 20}


@pytest.fixture(scope="module")
def limited(engine: str, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    port = free_port()
    text = f"[server]\n{table({'host': '127.0.0.1', 'port': port, 'engine': engine, 'heartbeat_seconds': 0.5})}"
    text += f'[[layer]]\nuse = "access"\n[[layer]]\nuse = "auth"\n[[layer]]\nuse = "ratelimit"\n{table(LIMITS)}[[layer]]\nuse = "routing"\n'
    text += provider("a", f"http://127.0.0.1:{upstream.port}/a/v1", ["m-*"], PATIENT)
    folder: Path = tmp_path_factory.mktemp(f"limited-{engine}")
    file = folder / "config.toml"
    file.write_text(f"{text}[store]\n{table({'url': f'sqlite+aiosqlite:///{folder}/ailb.db'})}")
    with Gateway(file, port) as gateway:
        yield gateway
    gateway.check()


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    """A user that was never there before, each time."""
    return (f"user-{number}" for number in count())


def within_a_minute() -> None:
    """Waits for the next one where this one is nearly over: across its end the window slides, and lets in what has left it."""
    left = 60 - time() % 60
    if left < SLOW_SECONDS:
        sleep(left)


def test_exactly_as_many_get_in_as_may(limited: Gateway, upstream: Upstream, names: Iterator[str]) -> None:
    within_a_minute()
    model, user = upstream.on(hello), next(names)

    def one(number: int) -> Answer:
        return limited.chat(model, headers={"x-user-id": user})

    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(one, range(150)))
    assert (100, 50) == (sum(a.status == 200 for a in seen), sum(a.status == 429 for a in seen))
    assert 100 == len(upstream.calls(model))
    refused = next(answer for answer in seen if answer.status == 429)
    assert refused.json["detail"].startswith("Rate limit exceeded")
    assert ("100", "0") == (refused.header("x-ratelimit-limit-requests"), refused.header("x-ratelimit-remaining-requests"))
    assert int(refused.header("retry-after") or 0) >= 1


@pytest.mark.parametrize("leave", [Client.close, Client.reset])
@pytest.mark.parametrize("when", ["whole", "before the first byte", "mid-stream"])
def test_a_slot_comes_back_when_its_client_leaves(
    limited: Gateway, upstream: Upstream, names: Iterator[str], when: str, leave: Callable[[Client], None]
) -> None:
    model, fine, user = upstream.on(stalls if when == "mid-stream" else silent), upstream.on(hello), {"x-user-id": next(names)}
    clients = [limited.client() for _ in range(20)]
    for client in clients:
        client.post(asked(model, stream=when != "whole"), headers=user)
    deadline = monotonic() + 10
    while len(upstream.calls(model)) < 20 and monotonic() < deadline:
        sleep(0.01)  # the upstream has no event for the twentieth call
    assert 429 == limited.chat(fine, headers=user).status
    for client in clients:
        leave(client)
    while (status := limited.chat(fine, headers=user).status) != 200 and monotonic() < deadline:
        sleep(0.05)  # nor has the gateway one for a slot that is free
    assert 200 == status
