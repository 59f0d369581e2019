from ailb.exchange import Outcome
from ailb.metrics import Metrics
from ailb.tally import Shared
from tests.ailb.test_metrics import samples


def test_copies_are_counted_by_model_and_outcome_over_all_processes() -> None:
    shared = Shared(2)
    one, two = (Metrics(shared.tally(seat)) for seat in (0, 1))
    for metrics, model, outcome in (
        (one, "new", Outcome("complete", 200, 0.5)),
        (two, "new", Outcome("complete", 200, 1.5)),
        (two, "new", Outcome("refused", 402, 9.0)),
        (two, "old", Outcome("broken", 502, 9.0)),
    ):
        metrics.shadow(model, outcome)
    found = samples(one)
    expected = {
        'ailb_shadow_requests_total{model="new",outcome="complete"}': 2,
        'ailb_shadow_requests_total{model="new",outcome="refused"}': 1,
        'ailb_shadow_requests_total{model="old",outcome="broken"}': 1,
        'ailb_shadow_latency_seconds_sum{model="new"}': 2,
        'ailb_shadow_latency_seconds_bucket{le="0.5",model="new"}': 1,
    }
    assert expected == {name: found[name] for name in expected}
    assert 'ailb_shadow_latency_seconds_sum{model="old"}' not in found
    assert not any(name.startswith(("ailb_requests_total", "ailb_attempt")) for name in found)
