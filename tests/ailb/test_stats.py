from typing import Any

import pytest

from ailb.attempts import Attempts
from ailb.dialect import Target
from ailb.errors import UpstreamSilent
from ailb.exchange import Outcome
from ailb.health import Health, Healths
from ailb.stats import providers, share
from ailb.tally import Shared, Tally
from ailb.testing import StillClock
from ailb.turns import TURN
from tests.ailb.driving import driven
from tests.ailb.test_attempts import over

NEVER: dict[str, Any] = {
    "requests": 0,
    "success_rate": 1.0,
    "avg_latency_ms": None,
    "p50_latency_ms": None,
    "p95_latency_ms": None,
    "avg_ttft_ms": None,
    "in_flight": 0,
    "circuit": "closed",
    "last_error": None,
    "last_error_at": None,
}
DONE = Outcome("complete", 200, 1.0)


async def test_a_target_that_nobody_asked_is_there_and_well() -> None:
    assert {"a": {**NEVER, "models": {"m": NEVER}}, "b": {**NEVER, "models": {}}} == await providers(Tally(), [("a", "m"), ("b", "")], 0.0)


async def test_a_target_tells_how_it_did() -> None:
    tally = Tally()
    attempts = Attempts(tally, StillClock(1_768_473_000.25))
    attempts.count(over(UpstreamSilent("x"), None, stream=True), DONE)
    told = (await providers(tally, [], 0.0))["a"]["models"]["m"]
    percentile = pytest.approx(500, rel=0.1)
    expected = {"requests": 2, "success_rate": 0.5, "avg_latency_ms": 500, "p50_latency_ms": percentile, "p95_latency_ms": percentile}
    expected |= {"avg_ttft_ms": 250, "last_error": "503 upstream_unreachable", "last_error_at": "2026-01-15T10:30:00.250Z"}
    assert {**NEVER, **expected} == told


def opened(health: Health, now: float) -> None:
    for _ in range(health.breaker.after):
        health.breaker.failed(now)
    health.tell()


async def test_a_provider_is_all_of_its_models_in_all_processes() -> None:
    shared, clock = Shared(2), StillClock(1_768_473_000.0)
    tallies = [shared.tally(seat) for seat in (0, 1)]
    healths = [Healths(tally) for tally in tallies]
    for tally, model in zip(tallies, ("m", "n"), strict=True):
        Attempts(tally, clock).count(over(None, target=Target("a", model)), DONE)
    Attempts(tallies[1], clock).count(over(UpstreamSilent("x")), DONE)
    for healthy in healths:
        health = healthy.of(Target("a", "m"))
        health.in_flight = 2
        health.tell()
    opened(healths[1].of(Target("a", "n", credential=1)), 100.0)
    for now, circuit in ((101.0, "open"), (131.0, "half_open")):
        told = (await providers(tallies[0], [], now))["a"]
        assert (3, 4, circuit) == (told["requests"], told["in_flight"], told["circuit"])
        assert pytest.approx(2 / 3) == told["success_rate"]
        assert ("closed", circuit) == tuple(told["models"][model]["circuit"] for model in ("m", "n"))
        assert "503 upstream_unreachable" == told["last_error"]


def test_many_targets_let_others_have_their_turn() -> None:
    tally = Tally()
    attempts = Attempts(tally, StillClock())
    for number in range(20 * TURN):
        attempts.count(over(UpstreamSilent("x"), target=Target("a", f"m{number}")), DONE)
    told, turns = driven(providers(tally, [], 0.0))
    assert 20 * TURN == len(told["a"]["models"])
    assert turns >= 4 * 20  # two rows of each, one of them an error once more, and the telling


@pytest.mark.parametrize(("good", "requests", "expected"), [(0, 0, 1.0), (1, 2, 0.5), (0, 2, 0.0)])
def test_a_share_of_nothing_is_all_of_it(good: int, requests: int, expected: float) -> None:
    assert expected == share(good, requests)
