from typing import Any

import pytest

from ailb.dialect import Target
from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal, UpstreamSilent
from ailb.exchange import Attempt, Exchange, Outcome, Reply, batches_of
from ailb.health import Health
from ailb.latency import LEAST
from ailb.testing import StillClock, ask
from ailb.usage import Usage
from middleware.routing_visit import Visit

LIMIT = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "5s"}


def visited(*, stream: bool = False, health: Health | None = None) -> tuple[Visit, Health, Exchange, StillClock]:
    clock, exchange = StillClock(), ask(stream=stream)
    health = health or Health(Target("p", "m"))
    return Visit(health, clock, exchange), health, exchange, clock


def answer(visit: Visit, exchange: Exchange, headers: dict[str, str] | None = None) -> Reply:
    reply = Reply(batches_of([]), headers=headers)
    exchange.answered = Attempt(Target("p", "m"), exchange.prompt, 0.0, first_event=0.25)
    visit.answered(reply)
    return reply


def over(exchange: Exchange, status: Any = "complete", refusal: UpstreamFailure | None = None, usage: Usage | None = None) -> None:
    for settler in reversed(exchange.settlers):
        settler(Outcome(status, 200, 1.0, refusal, usage))


def test_one_is_there_until_it_is_over() -> None:
    visit, health, exchange, _ = visited()
    assert 1 == health.in_flight
    reply = answer(visit, exchange)
    assert (reply, 1) == (visit.reply, health.in_flight)
    over(exchange)
    over(exchange)
    assert 0 == health.in_flight


def test_a_visit_without_an_answer_has_no_reply() -> None:
    with pytest.raises(LookupError):
        _ = visited()[0].reply


@pytest.mark.parametrize(
    ("failure", "rests", "failures"),
    [
        (UpstreamSilent("refused"), 0.0, 1),
        (UpstreamRefusal(503, "down", headers={"retry-after": "9"}), 0.0, 1),
        (UpstreamRefusal(401, "whose key is that"), 0.0, 1),
        (UpstreamRefusal(400, "wrong"), 0.0, 0),
        (UpstreamRefusal(429, "slow down"), 0.0, 0),
        (UpstreamRefusal(429, "slow down", headers={"retry-after": "9"}), 9.0, 0),
        (UpstreamRefusal(429, "slow down", headers=LIMIT), 5.0, 0),
        (UpstreamRefusal(429, "slow down", headers={"retry-after": "1000000000"}), 60.0, 0),
    ],
)
def test_what_a_failure_means_for_the_target(failure: UpstreamFailure, rests: float, failures: int) -> None:
    visit, health, _, clock = visited()
    visit.failed(failure)
    assert (0, rests, failures) == (health.in_flight, health.free_in(clock.monotonic()), health.breaker.failures)
    assert ("rate limited" if rests else "") == health.rests(clock.monotonic())


@pytest.mark.parametrize(
    ("failure", "share"),
    [
        (UpstreamSilent("refused"), 0.5),
        (UpstreamRefusal(503, "down"), 0.5),
        (UpstreamRefusal(429, "slow down"), 0.5),
        (UpstreamRefusal(400, "wrong"), 0.0),
    ],
)
def test_who_had_no_answer_for_what_another_may_have_failed(failure: UpstreamFailure, share: float) -> None:
    visit, health, _, clock = visited()
    visit.failed(failure)
    assert share == health.failing.share(clock.monotonic())


def test_an_answer_that_came_to_its_end_did_not_fail_and_one_that_nobody_heard_tells_nothing() -> None:
    health = Health(Target("p", "m"))
    for status, attempts in (("complete", 1.0), ("disconnected", 1.0)):
        visit, _, exchange, _ = visited(health=health)
        answer(visit, exchange)
        over(exchange, status)
        assert (0.0, attempts) == (health.failing.failures, health.failing.attempts)


def test_an_open_circuit_forgets_the_failures_so_that_the_probe_is_asked_in_its_turn() -> None:
    health = Health(Target("p", "m"))
    shares = []
    for _ in range(health.breaker.after):
        visit, _, _, clock = visited(health=health)
        visit.failed(UpstreamSilent("refused"))
        shares.append(health.failing.share(clock.monotonic()))
    assert all(share >= 0.5 for share in shares[:-1])
    assert (0.0, 1.0) == (shares[-1], health.weight(clock.monotonic()))


def test_an_answer_that_uses_up_the_limit_lets_the_target_rest() -> None:
    visit, health, exchange, clock = visited()
    answer(visit, exchange, LIMIT)
    assert ("its limit is used up", 5.0) == (health.rests(clock.monotonic()), health.free_in(clock.monotonic()))


@pytest.mark.parametrize(
    ("status", "refusal", "failures"),
    [
        ("complete", None, 0),
        ("disconnected", None, 1),
        ("broken", UpstreamBroken("cut"), 2),
        ("broken", UpstreamRefusal(400, "odd"), 0),
    ],
)
def test_the_end_tells_about_the_target_where_it_does(status: str, refusal: UpstreamFailure | None, failures: int) -> None:
    health = Health(Target("p", "m"))
    health.breaker.failed(0.0)
    visit, _, exchange, _ = visited(health=health)
    answer(visit, exchange)
    over(exchange, status, refusal)
    assert failures == health.breaker.failures


def test_a_stream_tells_its_speed_when_it_begins() -> None:
    visit, health, exchange, _ = visited(stream=True)
    answer(visit, exchange)
    assert 1 == health.latency.streams.count
    over(exchange, usage=Usage(10, 5))
    assert (1, 0) == (health.latency.streams.count, health.latency.wholes.count)


def test_a_whole_answer_tells_its_speed_when_its_length_is_known() -> None:
    visit, health, exchange, _ = visited()
    answer(visit, exchange)
    assert 0 == health.latency.wholes.count
    over(exchange, usage=Usage(10, 5))
    assert (0, 1) == (health.latency.streams.count, health.latency.wholes.count)


def test_how_much_was_cached_is_learned_little_by_little() -> None:
    health = Health(Target("p", "m"))
    shares = []
    for _ in range(LEAST):
        visit, _, exchange, _ = visited(health=health)
        answer(visit, exchange)
        over(exchange, usage=Usage(10, 1, cached=5))
        shares.append(health.cached)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.2 < shares[-1] < 0.5


def test_who_was_given_up_would_have_taken_longer() -> None:
    visit, health, exchange, clock = visited(stream=True)
    clock.advance(3.0)
    visit.abandoned()
    over(exchange, "complete")
    assert (0, 3.0, 0) == (health.in_flight, health.latency.expected(), health.breaker.failures)


def test_an_answer_that_nobody_hears_is_closed_and_no_failure() -> None:
    health = Health(Target("p", "m"))
    health.breaker.failed(0.0)
    visit, _, exchange, _ = visited(health=health)
    closed: list[bool] = []
    exchange.answered = attempt = Attempt(Target("p", "m"), exchange.prompt, 0.0)
    visit.answered(Reply(batches_of([]), close=lambda: closed.append(True)))
    visit.close()
    assert ([True], True, 0, 0) == (closed, attempt.abandoned, health.in_flight, health.breaker.failures)


def test_the_winner_is_who_answered() -> None:
    visit, health, exchange, _ = visited()
    answer(visit, exchange)
    mine = exchange.answered
    exchange.answered, exchange.target = None, Target("other", "m")
    visit.wins()
    assert (mine, health.target) == (exchange.answered, exchange.target)


def test_only_the_probe_ends_the_probe() -> None:
    health = Health(Target("p", "m"))
    early, _, _, _ = visited(health=health)
    for _ in range(health.breaker.after):
        health.breaker.failed(0.0)
    assert health.breaker.admits(health.breaker.seconds)
    probe, _, _, _ = visited(health=health)
    early.leave(None)
    assert health.breaker.probing
    probe.leave(None)
    assert not health.breaker.probing


def test_one_that_is_only_explained_says_nothing_about_the_target() -> None:
    health = Health(Target("p", "m"))
    health.breaker.after = 2
    health.breaker.failed(0.0)
    health.breaker.probing = True  # somebody else's
    exchange = ask()
    exchange.dry = True
    Visit(health, StillClock(), exchange).answered(Reply(batches_of([])))
    over(exchange, "disconnected")
    assert (0, 1, True) == (health.in_flight, health.breaker.failures, health.breaker.probing)
