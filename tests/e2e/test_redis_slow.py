"""Redis takes 100 ms for every answer (FAULTS D4): requests go on, and nobody waits in a queue that grows."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.gateway import PATIENT, Gateway, free_port, provider, table
from tests.e2e.paying import bursts
from tests.e2e.scripts import hello
from tests.e2e.slow import Slow
from tests.e2e.upstream import Upstream
from tests.middleware.redis_server import serving

LIMITS = {"requests_per_minute": 5000, "tokens_per_minute": 10_000_000, "max_parallel": 1000}


@pytest.fixture(scope="module")
def way() -> Iterator[Slow]:
    with serving() as server, Slow(server.port) as slow:
        yield slow


@pytest.fixture
def limited(engine: str, upstream: Upstream, tmp_path: Path, way: Slow) -> Iterator[Gateway]:
    way.seconds = 0
    port, file = free_port(), tmp_path / "config.toml"
    limits = {"redis": f"redis://127.0.0.1:{way.port}/0", **LIMITS}
    text = f"[server]\n{table({'host': '127.0.0.1', 'port': port, 'engine': engine, 'drain_seconds': 2.0})}"
    text += f'[[layer]]\nuse = "access"\n[[layer]]\nuse = "ratelimit"\n{table(limits)}[[layer]]\nuse = "routing"\n'
    file.write_text(text + provider("a", f"http://127.0.0.1:{upstream.port}/a/v1", ["m-*"], PATIENT))
    with Gateway(file, port) as gateway:
        yield gateway
    gateway.check()


def remaining(gateway: Gateway, model: str) -> int:
    answer = gateway.chat(model)
    assert answer.status == 200
    return int(answer.header("x-ratelimit-remaining-requests") or -1)


def test_a_slow_redis_is_still_asked(limited: Gateway, upstream: Upstream, way: Slow) -> None:
    model = upstream.on(hello)
    assert 200 == limited.chat(model).status
    way.seconds, way.answers = 0.1, 0
    with ThreadPoolExecutor(4) as pool:
        assert {200} == {answer.status for answer in pool.map(lambda _: limited.chat(model), range(20))}
    assert way.answers >= 20


def test_more_than_a_slow_redis_can_answer_make_no_queue(limited: Gateway, upstream: Upstream, way: Slow) -> None:
    """Its connections are good for 160 answers a second, and these want 2,000. Most of them are counted without it."""
    model = upstream.on(hello)
    before = remaining(limited, model)
    way.seconds = 0.1
    assert bursts(limited, model, "none", 200, 200) == {"200": 400}
    with limited.client(seconds=20) as client:
        assert client.get("/healthz").answer().status == 200
    assert before - 400 < remaining(limited, model)
