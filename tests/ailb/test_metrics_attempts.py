from prometheus_client.parser import text_string_to_metric_families

from ailb.dialect import Target
from ailb.errors import UpstreamSilent
from ailb.exchange import Outcome
from ailb.health import Healths
from ailb.metrics import Metrics
from ailb.tally import Shared
from ailb.testing import StillClock
from ailb.usage import Usage
from tests.ailb.test_attempts import over
from tests.ailb.test_metrics import samples, text
from tests.ailb.test_stats import opened

WHERE = 'model="m",provider="a"'


def test_a_stream_is_in_every_histogram_in_seconds() -> None:
    metrics = Metrics()
    metrics.request(over(UpstreamSilent("x"), None, stream=True), Outcome("complete", 200, 1.75, usage=Usage(10, 20, cached=7)))
    found = samples(metrics)
    expected = {
        f"ailb_attempt_latency_seconds_sum{{{WHERE}}}": 1.25,
        f"ailb_attempt_latency_seconds_count{{{WHERE}}}": 1,
        f'ailb_attempt_latency_seconds_bucket{{le="1.0",{WHERE}}}': 0,
        f'ailb_attempt_latency_seconds_bucket{{le="2.5",{WHERE}}}': 1,
        f"ailb_time_to_first_token_seconds_sum{{{WHERE}}}": 0.25,
        f"ailb_time_between_tokens_seconds_sum{{{WHERE}}}": 0.05,
        f"ailb_cached_input_tokens_total{{{WHERE}}}": 7,
    }
    assert expected == {name: found[name] for name in expected}


def test_turns_and_standing_are_told() -> None:
    shared, clock = Shared(2), StillClock(1000.0)
    one, two = (Metrics(shared.tally(seat), clock) for seat in (0, 1))
    one.request(over(None, retries=2, hedged=True), Outcome("complete", 200, 1.0))
    two.request(over(None, fallback="cheap"), Outcome("complete", 200, 1.0))
    health, other = (Healths(metrics.tally).of(Target("a", "m")) for metrics in (one, two))
    health.in_flight = other.in_flight = 3
    health.tell()
    opened(other, 1000.0)
    expected = {"ailb_retries_total": 2, "ailb_hedges_total": 1, "ailb_fallbacks_total": 1}
    expected |= {f"ailb_in_flight{{{WHERE}}}": 6, f"ailb_circuit_state{{{WHERE}}}": 2}
    for metrics in (one, two):
        found = samples(metrics)
        assert expected == {name: found[name] for name in expected}
    clock.advance(30)
    assert 1 == samples(one)[f"ailb_circuit_state{{{WHERE}}}"]


def test_a_target_that_never_streamed_has_no_histogram_of_streams() -> None:
    metrics = Metrics()
    metrics.request(over(None), Outcome("complete", 200, 1.75, usage=Usage(10, 20)))
    found = samples(metrics)
    assert 1 == found[f"ailb_attempt_latency_seconds_count{{{WHERE}}}"]
    assert not any(name.startswith(("ailb_time_to_first_token_seconds", "ailb_time_between_tokens_seconds")) for name in found)


def test_health_checks_are_counted_by_what_they_told() -> None:
    metrics = Metrics()
    healths = Healths(metrics.tally)
    for result in ("well", "well", "ill"):
        healths.checked("a", result)
    Healths().checked("a", "well")
    found = samples(metrics)
    assert [2, 1] == [found[f'ailb_health_checks_total{{provider="a",result="{result}"}}'] for result in ("well", "ill")]


def test_each_family_has_its_type_and_says_what_it_is() -> None:
    metrics = Metrics()
    metrics.request(over(None), Outcome("complete", 200, 1.0))
    families = {family.name: family for family in text_string_to_metric_families(text(metrics).decode())}
    times = ("attempt_latency", "time_to_first_token", "time_between_tokens")
    assert ["histogram"] * 3 == [families[f"ailb_{name}_seconds"].type for name in times]
    assert ("counter", "gauge", "gauge") == tuple(families[f"ailb_{name}"].type for name in ("retries", "in_flight", "circuit_state"))
    assert all(family.documentation for family in families.values())
