import pytest

from ailb.attempts import (
    BETWEEN,
    BETWEEN_AT,
    CACHED,
    FAILED,
    FIRST,
    FIRST_AT,
    KIND,
    LATENCY,
    LATENCY_AT,
    MOST_ERRORS,
    MOST_TARGETS,
    OTHER,
    REQUESTS,
    TURNS,
    Attempts,
    last_errors,
    told,
)
from ailb.dialect import Target
from ailb.errors import InternalError, Refusal, UpstreamBroken, UpstreamRefusal, UpstreamSilent
from ailb.exchange import Attempt, Exchange, Outcome
from ailb.tally import Shared, Tally
from ailb.testing import StillClock, ask
from ailb.usage import Usage

HOME, AWAY = Target("a", "m"), Target("b", "n")
NOW = 1_700_000_000.0


def over(*failures: Refusal | None, target: Target = HOME, stream: bool = False, **notes: object) -> Exchange:
    """Attempts that failed so, one after the other; None is one that was answered."""
    exchange = ask(stream=stream)
    exchange.notes |= notes
    for failure in failures:
        exchange.attempts.append(Attempt(target, exchange.prompt, 0.5, failure=failure, first_event=None if failure else 0.75))
        if failure is None:
            exchange.answered = exchange.attempts[-1]
    return exchange


def counted(exchange: Exchange, outcome: Outcome, target: Target = HOME) -> list[int]:
    tally = Tally()
    Attempts(tally, StillClock(NOW)).count(exchange, outcome)
    return tally.sums()[KIND, target.provider, target.model]


def test_a_stream_has_all_three_times() -> None:
    numbers = counted(over(None, stream=True), Outcome("complete", 200, 1.75, usage=Usage(10, 20, cached=7)))
    assert (1, 0, 7) == (numbers[REQUESTS], numbers[FAILED], numbers[CACHED])
    assert 1250 == LATENCY.mean(numbers, LATENCY_AT)
    assert (250, 50) == (FIRST.mean(numbers, FIRST_AT), BETWEEN.mean(numbers, BETWEEN_AT))


def test_a_whole_answer_has_one() -> None:
    numbers = counted(over(None), Outcome("complete", 200, 1.0, usage=Usage(10, 20)))
    assert (500, None, None) == (LATENCY.mean(numbers, LATENCY_AT), FIRST.mean(numbers, FIRST_AT), BETWEEN.mean(numbers, BETWEEN_AT))


def test_a_stream_that_nobody_counted_has_no_time_between_tokens() -> None:
    numbers = counted(over(None, stream=True), Outcome("complete", 200, 1.0))
    assert (1, None) == (FIRST.count(numbers, FIRST_AT), BETWEEN.mean(numbers, BETWEEN_AT))


@pytest.mark.parametrize("failure", [UpstreamSilent("no"), UpstreamBroken("no"), UpstreamRefusal(429, "slow"), UpstreamRefusal(500, "no")])
def test_what_another_target_might_do_better_is_a_failure(failure: Refusal) -> None:
    numbers = counted(over(failure, None), Outcome("complete", 200, 1.0))
    assert (2, 1, 1) == (numbers[REQUESTS], numbers[FAILED], LATENCY.count(numbers, LATENCY_AT))


@pytest.mark.parametrize(
    "failure", [UpstreamRefusal(400, "bad"), UpstreamRefusal(422, "no"), UpstreamRefusal(403, "", code="content_filter")]
)
def test_to_refuse_what_is_wrong_anywhere_is_none(failure: Refusal) -> None:
    numbers = counted(over(failure), Outcome("refused", 400, 1.0, refusal=failure))
    assert (1, 0, 0) == (numbers[REQUESTS], numbers[FAILED], LATENCY.count(numbers, LATENCY_AT))


def test_an_answer_that_broke_is_a_failure_and_has_no_time() -> None:
    numbers = counted(over(None), Outcome("broken", 200, 1.0, refusal=UpstreamBroken("cut")))
    assert (1, 1, 0) == (numbers[REQUESTS], numbers[FAILED], LATENCY.count(numbers, LATENCY_AT))


@pytest.mark.parametrize("outcome", [Outcome("disconnected", 200, 1.0), Outcome("broken", 200, 1.0, refusal=InternalError("bug"))])
def test_what_the_target_is_not_to_blame_for_is_neither(outcome: Outcome) -> None:
    numbers = counted(over(None), outcome)
    assert (1, 0, 0) == (numbers[REQUESTS], numbers[FAILED], LATENCY.count(numbers, LATENCY_AT))


def test_turns_are_counted() -> None:
    tally = Tally()
    attempts = Attempts(tally, StillClock())
    for notes in ({"retries": 3}, {"hedged": True}, {"fallback": "cheap", "retries": 1}, {"session": "x"}, {}):
        attempts.count(over(None, **notes), Outcome("complete", 200, 1.0))
    assert [4, 1, 1] == tally.sums()[(TURNS,)]


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (UpstreamRefusal(429, "you said: my secret", code="rate_limit_exceeded"), "429 rate_limit_exceeded"),
        (UpstreamRefusal(500, "x", code="cannot do 'my secret'"), "500 server_error"),
        (UpstreamRefusal(500, "x", type="my secret", code={"my": "secret"}), "500"),
        (UpstreamRefusal(500, "x", type="s" * 65), "500"),
        (UpstreamSilent("refused"), "503 upstream_unreachable"),
    ],
)
def test_nothing_that_an_upstream_wrote_at_length_is_told(refusal: Refusal, expected: str) -> None:
    assert expected == told(refusal)


async def test_the_last_error_of_any_process_is_known() -> None:
    shared, clock = Shared(2), StillClock(NOW)
    one, two = (Attempts(shared.tally(seat), clock) for seat in (0, 1))
    failed = Outcome("refused", 503, 1.0)
    one.count(over(UpstreamSilent("x")), failed)
    clock.advance(5)
    two.count(over(UpstreamRefusal(500, "x")), failed)
    assert {("a", "m"): (NOW + 5, "500 server_error")} == await last_errors(shared.tally(0))
    clock.advance(5)
    one.count(over(UpstreamSilent("x")), failed)
    assert {("a", "m"): (NOW + 10, "503 upstream_unreachable")} == await last_errors(shared.tally(1))


async def test_made_up_errors_are_told_by_their_status_in_the_end() -> None:
    tally, clock = Tally(), StillClock(NOW)
    attempts = Attempts(tally, clock)
    for number in range(MOST_ERRORS + 100):
        attempts.count(over(UpstreamRefusal(500, "x", code=f"c{number}")), Outcome("refused", 500, 1.0))
        clock.advance(1)
    assert MOST_ERRORS + 1 == len(list(tally.each("error")))
    assert {("a", "m"): (NOW + MOST_ERRORS + 99, "500")} == await last_errors(tally)


def test_made_up_models_share_one_row_in_the_end() -> None:
    tally = Tally()
    attempts = Attempts(tally, StillClock())
    for number in range(MOST_TARGETS + 5):
        attempts.count(over(None, target=Target("a", f"m{number}")), Outcome("complete", 200, 1.0))
    rows = {name: numbers for name, numbers in tally.sums().items() if name[0] == KIND}
    assert (MOST_TARGETS + 1, 5) == (len(rows), rows[KIND, "a", OTHER][REQUESTS])


def test_several_attempts_are_counted_where_they_were() -> None:
    exchange = over(UpstreamSilent("x"))
    exchange.attempts += over(None, target=AWAY).attempts
    exchange.answered = exchange.attempts[-1]
    assert (1, 1) == tuple(counted(exchange, Outcome("complete", 200, 1.0))[REQUESTS : FAILED + 1])
    assert (1, 0) == tuple(counted(exchange, Outcome("complete", 200, 1.0), AWAY)[REQUESTS : FAILED + 1])
