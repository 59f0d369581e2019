"""The wall clock jumps under gateways that run (FAULTS A19, A20): by seconds and hours, and over the end of a day, a week and a month."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from math import ceil
from pathlib import Path
from time import monotonic, sleep

import pytest

from ailb.store.sweeper import LEASE_SECONDS
from tests.e2e.gateway import HASTY, Gateway, free_port, provider
from tests.e2e.paying import COST, api, audited, budget, new_key, rows, settled, written
from tests.e2e.raw import Answer, Client
from tests.e2e.scripts import held, hello, silent
from tests.e2e.upstream import Upstream
from tests.e2e.wall import Wall
from tests.e2e.wire import asked, said

SUNDAY = datetime(2027, 1, 31, 23, 30, tzinfo=UTC)
"""The last half hour of a day, a week and a month."""

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECONDS = timedelta(seconds=5)


@pytest.fixture
def wall(tmp_path: Path) -> Wall:
    return Wall(tmp_path / "clock", SUNDAY)


@contextmanager
def started(engine: str, upstream: Upstream, folder: Path, store: str, wall: Wall) -> Iterator[Gateway]:
    port = free_port()
    file = written(engine, upstream, folder, store, port=port)
    file.write_text(file.read_text() + provider("hasty", f"http://127.0.0.1:{upstream.port}/hasty/v1", ["h-*"], HASTY))
    with Gateway(file, port, wall.env) as gateway:
        yield gateway
    gateway.check()


@pytest.fixture
def gateway(engine: str, upstream: Upstream, tmp_path: Path, new_store: Callable[[], str], wall: Wall) -> Iterator[Gateway]:
    """When the test is done its books balance, and nothing took less than no time."""
    with started(engine, upstream, tmp_path, new_store(), wall) as gateway:
        yield gateway
        audited(gateway.file)
        spans = [line[name] for line in gateway.log() for name in ("latency_ms", "first_event_ms") if line.get(name) is not None]
        spans += [row["latency_ms"] for row in api(gateway, "GET", "/api/billing/usage?limit=1000")["data"]]
        assert spans == [span for span in spans if span >= 0]


def chat(gateway: Gateway, model: str, secret: str) -> Answer:
    """It holds what it costs."""
    return gateway.chat(model, headers={"authorization": f"Bearer {secret}"}, max_tokens=2)


def streaming(client: Client, model: str, secret: str) -> None:
    """Begun, and under way."""
    client.post(asked(model, stream=True, max_tokens=2), headers={"authorization": f"Bearer {secret}"}).head()
    client.until(b"first")


def test_each_window_has_its_budget_once_however_often_it_comes_back(gateway: Gateway, upstream: Upstream, wall: Wall) -> None:
    secret, id = new_key(gateway, monthly_quota_dollars=10 * COST)
    api(gateway, "POST", "/api/billing/budget", {"key_id": id, "monthly_limit_dollars": 4 * COST, "period": "daily"})
    model, days, months = upstream.on(hello), Counter[date](), Counter[int]()
    for jump in (HOUR, -HOUR, HOUR, -HOUR, SECONDS, -SECONDS, DAY, -2 * DAY, -DAY, 2 * DAY, DAY, DAY, -3 * DAY, 4 * DAY):
        wall.jump(jump)
        for _ in range(3):
            today = wall.now.date()
            paid = days[today] < 4 and months[today.month] < 10
            assert chat(gateway, model, secret).status == (200 if paid else 402)
            days[today] += paid
            months[today.month] += paid
        standing = settled(gateway, id)
        assert standing["current_spend"] == pytest.approx(months[wall.now.month] * COST)
        assert standing["remaining_budget"] == pytest.approx((10 - months[wall.now.month]) * COST)
    assert months == {1: 10, 2: 10}
    assert Counter(date.fromisoformat(row["at"][:10]) for row in rows(gateway, id)) == +days
    assert len(upstream.calls(model)) == 20


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 31 * DAY], ids=str)
def test_what_is_under_way_belongs_to_the_window_it_began_in(gateway: Gateway, upstream: Upstream, wall: Wall, jump: timedelta) -> None:
    """Nor does a jump cut it short."""
    if jump < timedelta():
        wall.jump(-jump)  # from February into January
    secret, id = new_key(gateway, monthly_quota_dollars=COST)
    began, gate = wall.now.date(), upstream.flag()
    model = upstream.on(held(gate, "last"))
    with gateway.client() as client:
        streaming(client, model, secret)
        wall.jump(jump)
        there, other = wall.now.date(), upstream.on(hello)
        assert chat(gateway, other, secret).status == 200  # there, nothing is spent or held
        gate.set()
        assert said(client.until(b"[DONE]")) == "firstlast"
    assert settled(gateway, id)["current_spend"] == COST
    wall.jump(-jump)
    assert settled(gateway, id)["current_spend"] == COST
    assert chat(gateway, other, secret).status == 402
    wall.jump(abs(jump))  # nobody is shown what was spent in the future
    assert {row["model"]: date.fromisoformat(row["at"][:10]) for row in rows(gateway, id)} == {model: began, other: there}


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=str)
def test_who_says_nothing_is_given_up_whatever_the_time_is(gateway: Gateway, upstream: Upstream, wall: Wall, jump: timedelta) -> None:
    model = upstream.on(silent, kind="h")
    secret, id = new_key(gateway, monthly_quota_dollars=1)
    with gateway.client() as client:
        client.post(asked(model, max_tokens=2), headers={"authorization": f"Bearer {secret}"})
        upstream.call(model)
        wall.jump(jump)
        assert client.answer().status == 503
    assert settled(gateway, id)["reserved"] == 0


def test_a_key_is_good_until_it_expires_by_the_wall(gateway: Gateway, upstream: Upstream, wall: Wall) -> None:
    secret, _ = new_key(gateway, expires_at="2027-02-01T00:00:00Z")
    model, seen = upstream.on(hello), []
    for jump in (timedelta(), HOUR, -HOUR, 31 * DAY, -31 * DAY):
        wall.jump(jump)
        seen.append(chat(gateway, model, secret).status)
    assert seen == [200, 401, 200, 401, 200]


def test_a_minute_is_a_minute_for_the_rate_limits(gateway: Gateway, upstream: Upstream, wall: Wall) -> None:
    secret, _ = new_key(gateway, rate_limit_rpm=20)
    model, began, seen = upstream.on(hello), monotonic(), []
    for jump in (timedelta(), HOUR, -HOUR, SECONDS, -SECONDS, -DAY, 31 * DAY):
        wall.jump(jump)
        seen += [chat(gateway, model, secret) for _ in range(20)]
    assert {200, 429} == {answer.status for answer in seen}
    assert 20 <= len(upstream.calls(model)) <= 20 + ceil(20 * (monotonic() - began) / 60)
    assert all(1 <= int(answer.header("retry-after") or 0) <= 60 for answer in seen if answer.status == 429)


@contextmanager
def several(engine: str, upstream: Upstream, folder: Path, url: str, walls: Sequence[Wall]) -> Iterator[list[Gateway]]:
    """Gateways at one ledger, each with a clock of its own."""
    if url.startswith("sqlite"):
        pytest.skip("SQLite is for one process")
    if engine == "uvicorn":
        pytest.skip("which HTTP server stands in front makes no difference here")
    with ExitStack() as stack:
        gateways = []
        for number, wall in enumerate(walls):
            place = folder / f"gateway-{number}"
            place.mkdir()
            gateways.append(stack.enter_context(started(engine, upstream, place, url, wall)))
        yield gateways
        audited(gateways[0].file)


def test_two_whose_clocks_differ_overspend_in_no_window(
    engine: str, upstream: Upstream, tmp_path: Path, new_store: Callable[[], str]
) -> None:
    """By five seconds, now before midnight, now after it, and now on both sides of it."""
    walls = [Wall(tmp_path / name, SUNDAY + HOUR / 2 - away) for name, away in (("one", 4 * SECONDS), ("other", 3 * SECONDS))]
    model = upstream.on(hello)
    with several(engine, upstream, tmp_path, new_store(), walls) as gateways:
        secret, id = new_key(gateways[0], monthly_quota_dollars=10 * COST)
        seen = Counter[int]()
        for jump in (timedelta(), SECONDS, -SECONDS, 4 * SECONDS, -HOUR, HOUR + SECONDS, SECONDS):
            for wall in walls:
                wall.jump(jump)
            seen.update(chat(gateway, model, secret).status for gateway in gateways * 5)
        assert seen == {200: 20, 402: 50}
        settled(gateways[0], id)
        assert Counter(row["at"][:7] for row in rows(gateways[0], id)) == {"2027-01": 10, "2027-02": 10}
        assert len(upstream.calls(model)) == 20


def test_who_has_a_wrong_clock_takes_nobody_for_dead(engine: str, upstream: Upstream, tmp_path: Path, new_store: Callable[[], str]) -> None:
    """The clocks of two jump. The third is killed: what it held is settled, and nobody else's."""
    walls = [Wall(tmp_path / name, SUNDAY - DAY / 2) for name in ("one", "other", "third")]
    gate = upstream.flag()
    model = upstream.on(held(gate, "last"))
    with several(engine, upstream, tmp_path, new_store(), walls) as (one, _, third):
        secret, id = new_key(one, monthly_quota_dollars=1)
        with one.client() as client, third.client() as lost:
            streaming(client, model, secret)
            streaming(lost, model, secret)
            third.kill()
            jumps, deadline = cycle([HOUR, -HOUR, -HOUR, HOUR]), monotonic() + 10 * LEASE_SECONDS
            while (held_now := budget(one, id)["reserved"]) == 2 * COST and monotonic() < deadline:
                walls[0].jump(jump := next(jumps))
                walls[1].jump(-jump)
                sleep(0.1)  # Nobody tells when a hold is let go.
            assert held_now == COST
            gate.set()
            assert said(client.until(b"[DONE]")) == "firstlast"
        settled(one, id)
        assert Counter((row["status"], row["error"]) for row in rows(one, id)) == {("complete", None): 1, ("broken", "process died"): 1}
