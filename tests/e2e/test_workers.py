"""Two processes behind one port, on PostgreSQL and Redis (FAULTS A2, E4, E8): together they keep to what one would."""

import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

import pytest

from ailb.secret import Secret
from ailb.workers import YOUNG_SECONDS
from tests.ailb.store.conftest import postgres, postgres_url
from tests.e2e.gateway import Gateway
from tests.e2e.paying import ADMIN, COST, api, audited, bursts, new_key, settled, started, written
from tests.e2e.scripts import hello
from tests.e2e.upstream import Upstream
from tests.middleware.redis_server import Server, serving

__all__ = ["postgres", "postgres_url"]  # fixtures are found by their names here


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def file(engine: str, upstream: Upstream, tmp_path: Path, postgres_url: Secret, redis: Server) -> Path:
    file = written(engine, upstream, tmp_path)
    text = file.read_text().replace("[server]\n", "[server]\nworkers = 2\n")
    text = text.replace(f"sqlite+aiosqlite:///{tmp_path / 'ailb.db'}", postgres_url.reveal())
    file.write_text(text.replace('use = "ratelimit"\n', f'use = "ratelimit"\nredis = "{redis.url.reveal()}"\n'))
    return file


@pytest.fixture
def two(file: Path) -> Iterator[Gateway]:
    with started(file) as gateway:
        yield gateway


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_budget_for_a_hundred_lets_exactly_a_hundred_through(two: Gateway, upstream: Upstream, file: Path, stream: bool) -> None:
    secret, id = new_key(two, monthly_quota_dollars=100 * COST)
    model = upstream.on(hello)
    assert bursts(two, model, secret, 167, 167, 166, stream=stream) == {"200": 100, "402": 400}
    assert len(upstream.calls(model)) == 100
    assert settled(two, id)["current_spend"] == 100 * COST
    assert two.output.count('"event":"serving"') == 2
    assert "differences" in audited(file)


def test_a_revoked_key_is_refused_everywhere_within_two_seconds(two: Gateway, upstream: Upstream) -> None:
    """By whoever is asked, under load: whoever asks later than that is refused."""
    secret, id = new_key(two)
    model, seen, over = upstream.on(hello), list[tuple[float, int]](), threading.Event()

    def ask() -> None:
        while not over.is_set():
            began = monotonic()
            seen.append((began, two.chat(model, headers={"authorization": f"Bearer {secret}"}).status))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        upstream.call(model, 50)
        assert {status for _, status in seen} == {200}
        api(two, "DELETE", f"/api/keys/{id}")
        revoked = monotonic()
        while sum(began > revoked + 2 for began, _ in seen) <= 8:
            sleep(0.05)  # The threads have no event to offer for what they have seen.
    finally:
        over.set()
        for thread in threads:
            thread.join(10)
    assert 401 in [status for began, status in seen if began > revoked]
    late = {status for began, status in seen if began > revoked + 2}
    assert late <= {401, 429}, "so many wrong keys are not even looked up"


def counted(text: str) -> dict[str, float]:
    """Sums of the metrics without their labels, of which a test's model is one."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, number = line.rpartition(" ")
            name = name.partition("{")[0]
            found[name] = found.get(name, 0) + float(number)
    return found


def scraped(gateway: Gateway, times: int = 10) -> list[dict[str, float]]:
    """Each on a connection of its own, so that sooner or later every worker is asked."""
    answers = [gateway.get("/metrics", {"authorization": f"Bearer {ADMIN}"}) for _ in range(times)]
    return [counted(answer.body.decode()) for answer in answers]


def children(gateway: Gateway) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()]


def test_metrics_are_those_of_all_workers_and_outlive_each(two: Gateway, upstream: Upstream) -> None:
    began = monotonic()
    secret, id = new_key(two)
    model = upstream.on(hello)
    assert bursts(two, model, secret, 20, 20) == {"200": 40}
    settled(two, id)
    expected: dict[str, Any] = {
        "ailb_requests_total": 40,
        "ailb_request_latency_ms_count": 40,
        "ailb_open_exchanges": 0,
        "ailb_budget_holds_total": 40,
    }
    expected |= {"ailb_cost_total_usd": pytest.approx(40 * COST), "ailb_request_success_rate": 1}
    assert [expected] * 10 == [{name: found[name] for name in expected} for found in scraped(two)]
    fared = [api(two, "GET", "/api/routing/stats") for _ in range(10)]
    assert [(40, 40)] * 10 == [(told["total_requests"], told["providers"]["a"]["models"][model]["requests"]) for told in fared]
    dead = children(two)[0]
    sleep(max(0, began + YOUNG_SECONDS + 1 - monotonic()))  # before that its death would be everybody's
    os.kill(dead, signal.SIGKILL)
    two.line_with("a worker ended")
    deadline = monotonic() + 10
    while two.output.count('"event":"serving"') < 3:
        assert monotonic() < deadline
        assert {40} == {found["ailb_requests_total"] for found in scraped(two, 2)}
    assert {200} == {two.chat(model, headers={"authorization": f"Bearer {secret}"}).status for _ in range(10)}
    settled(two, id)
    assert [50] * 10 == [found["ailb_requests_total"] for found in scraped(two)]


def versions(gateway: Gateway) -> set[str]:
    """Of the configurations that are run, each asked on a connection of its own."""
    return {gateway.get("/readyz", {"authorization": f"Bearer {ADMIN}"}).json["version"] for _ in range(10)}


def lines_with(gateway: Gateway, text: str, number: int) -> None:
    deadline = monotonic() + 20
    while gateway.output.count(text) < number:
        assert monotonic() < deadline, gateway.output[-4000:]
        sleep(0.01)  # The collecting thread has no event to offer for a text.


def test_who_replaces_a_worker_runs_what_the_others_run_and_not_what_is_in_the_file(two: Gateway, upstream: Upstream, file: Path) -> None:
    began, text = monotonic(), file.read_text()
    (first,) = versions(two)
    file.write_text(f'default_model = "m-x"\n{text}')
    two.signal(signal.SIGHUP)
    lines_with(two, '"event":"reloaded"', 2)
    (second,) = versions(two)
    assert first != second
    file.write_text("[server")
    two.signal(signal.SIGHUP)
    lines_with(two, '"event":"reload refused"', 2)
    sleep(max(0, began + YOUNG_SECONDS + 1 - monotonic()))  # before that a death would be everybody's
    for number, (dead, now) in enumerate(zip(children(two), ("[server", f'default_model = "m-y"\n{text}'), strict=True)):
        file.write_text(now)
        os.kill(dead, signal.SIGKILL)
        lines_with(two, '"event":"serving"', 3 + number)
        assert {second} == versions(two)
    assert two.chat(upstream.on(hello), headers={"authorization": f"Bearer {new_key(two)[0]}"}).status == 200
    assert two.stop() == 0
    assert two.output.count('"event":"stopped"') == 2


def test_a_record_is_found_whichever_worker_is_asked_and_nothing_is_left_behind(file: Path, upstream: Upstream) -> None:
    text = file.read_text()
    file.write_text(text.replace('[[layer]]\nuse = "auth"\n', '[[layer]]\nuse = "records"\n[[layer]]\nuse = "auth"\n'))
    port = int(next(line for line in text.splitlines() if line.startswith("port = ")).removeprefix("port = "))
    model = upstream.on(hello)
    with TemporaryDirectory(prefix="t") as folder:
        with Gateway(file, port, {"TMPDIR": folder}) as two:
            secret, _ = new_key(two)
            for number in range(8):
                headers = {"authorization": f"Bearer {secret}", "x-request-id": f"r{number}"}
                assert two.chat(model, headers=headers).status == 200
                found = [api(two, "GET", f"/api/requests/r{number}", key=secret)["id"] for _ in range(6)]
                assert found == [f"r{number}"] * 6
            (sockets,) = Path(folder).iterdir()
            assert (0o700, {"0", "1"}) == (stat.S_IMODE(sockets.stat().st_mode), {path.name for path in sockets.iterdir()})
        assert [] == list(Path(folder).iterdir())
    two.check()
