import pytest

from ailb.breaker import State
from ailb.dialect import Target
from ailb.health import MOST_TARGETS, MOST_TOLD, Health, Healths, rank, standing, worse
from ailb.tally import Shared, Tally


def test_a_targets_health_is_found_again_whatever_its_weight_is_now() -> None:
    healths = Healths()
    light, heavy = Target("p", "m"), Target("p", "m", weight=5.0, max_parallel=3)
    health = healths.of(light)
    assert health is healths.of(heavy)
    assert heavy is health.target
    assert [health] == list(healths)


@pytest.mark.parametrize("other", [Target("q", "m"), Target("p", "n"), Target("p", "m", credential=1)])
def test_another_provider_model_or_key_has_a_health_of_its_own(other: Target) -> None:
    healths = Healths()
    assert healths.of(Target("p", "m")) is not healths.of(other)


def test_the_oldest_are_forgotten() -> None:
    healths = Healths()
    first = healths.of(Target("p", "first"))
    for number in range(MOST_TARGETS):
        healths.of(Target("p", str(number)))
    assert MOST_TARGETS == len(list(healths))
    assert first is not healths.of(Target("p", "first"))


def test_a_well_one_may_be_asked() -> None:
    health = Health(Target("p", "m"))
    assert ("", 0.0) == (health.bars(0.0), health.free_in(0.0))


def test_one_that_has_had_enough_rests_as_long_as_it_said() -> None:
    health = Health(Target("p", "m"))
    health.rest(10.0, "rate limited")
    health.rest(5.0, "something shorter")
    assert ("rate limited", "", 3.0) == (health.rests(7.0), health.bars(7.0), health.free_in(7.0))
    assert "" == health.rests(10.0)


def test_one_that_is_full_is_not_asked_more() -> None:
    health = Health(Target("p", "m", max_parallel=2), in_flight=1)
    assert "" == health.bars(0.0)
    health.in_flight = 2
    assert ("max_parallel reached", 0.0) == (health.bars(0.0), health.free_in(0.0))


@pytest.mark.parametrize(("failures", "least", "most"), [(0, 2.0, 2.0), (1, 1.75, 2.0), (3, 0.9, 1.1), (30, 0.01, 0.03)])
def test_who_fails_weighs_less(failures: int, least: float, most: float) -> None:
    """Of a hundred attempts."""
    health = Health(Target("p", "m", weight=2.0))
    for number in range(100):
        health.failing.observe(number < failures, 0.0)
    assert least <= health.weight(0.0) <= most
    assert health.weight(120.0) == pytest.approx(2.0, abs=0.001)


def test_an_open_circuit_bars_until_somebody_may_try() -> None:
    health = Health(Target("p", "m"))
    for _ in range(health.breaker.after):
        health.breaker.failed(0.0)
    assert ("circuit open", health.breaker.seconds - 1) == (health.bars(1.0), health.free_in(1.0))
    later = health.breaker.seconds + 1
    assert "" == health.bars(later) == health.bars(later)
    assert health.breaker.admits(later)
    assert "circuit open" == health.bars(later)


async def test_other_processes_see_how_busy_and_how_well_it_is() -> None:
    shared = Shared(2)
    one, two = (Healths(shared.tally(seat)).of(Target("p", "m")) for seat in (0, 1))
    one.in_flight, two.in_flight = 2, 1
    one.tell()
    two.breaker.after = 1
    two.breaker.failed(0.0)
    two.tell()
    for now, state in ((29.0, "open"), (30.0, "half_open")):
        assert {("p", "m"): (3, state)} == await standing(shared.tally(0), now)
    two.breaker.succeeded()
    two.tell()
    assert {("p", "m"): (3, "closed")} == await standing(shared.tally(1), 30.0)


async def test_a_circuit_that_is_to_open_for_another_time_says_so() -> None:
    tally = Tally()
    healths = Healths(tally)
    health = healths.of(Target("p", "m"))
    healths.tolerate(1, 30.0)
    health.breaker.failed(0.0)
    healths.tolerate(1, 10.0)
    assert {("p", "m"): (0, "half_open")} == await standing(tally, 20.0)


async def test_who_takes_the_seat_of_a_dead_process_has_nothing_in_flight() -> None:
    shared = Shared(1)
    health = Healths(shared.tally(0)).of(Target("p", "m"))
    health.in_flight = 5
    health.tell()
    tally = shared.tally(0)
    Healths(tally)
    assert {("p", "m"): (0, "closed")} == await standing(tally, 0.0)


async def test_one_that_is_forgotten_tells_nothing_any_more_and_made_up_ones_are_not_told() -> None:
    tally = Tally()
    healths = Healths(tally)
    first = healths.of(Target("p", "first"))
    first.in_flight = 1
    first.tell()
    for number in range(MOST_TARGETS):
        healths.of(Target("p", str(number)))
    first.tell()
    told = await standing(tally, 0.0)
    assert (MOST_TOLD, (0, "closed")) == (len(told), told["p", "first"])


@pytest.mark.parametrize(
    ("one", "other", "worst"), [("closed", "closed", "closed"), ("half_open", "closed", "half_open"), ("half_open", "open", "open")]
)
def test_the_worst_circuit_counts(one: State, other: State, worst: State) -> None:
    assert worst == worse(one, other) == worse(other, one)
    assert rank(worst) == max(rank(one), rank(other))
