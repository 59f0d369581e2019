from typing import Any

from ailb.exchange import Outcome
from ailb.metrics import Metrics
from ailb.tally import Shared
from tests.ailb.test_metrics import samples, served


def counted(metrics: Metrics, **notes: Any) -> None:
    exchange = served()
    exchange.notes |= notes
    metrics.request(exchange, Outcome("complete", 200, 0.1))


def test_searches_are_counted_by_what_became_of_them_in_all_processes() -> None:
    shared = Shared(2)
    one, two = (Metrics(shared.tally(seat)) for seat in (0, 1))
    counted(one, rag="found", rag_ms=20.0, rag_sources=3)
    counted(two, rag="found", rag_ms=480.0, rag_sources=1, rag_unknown=[7, 9])
    counted(two, rag="timeout", rag_ms=2000.0)
    counted(one)
    found = samples(one)
    expected = {
        'ailb_rag_queries_total{outcome="found"}': 2,
        'ailb_rag_queries_total{outcome="timeout"}': 1,
        'ailb_rag_latency_seconds_count{outcome="found"}': 2,
        'ailb_rag_latency_seconds_sum{outcome="found"}': 0.5,
        'ailb_rag_latency_seconds_bucket{le="0.025",outcome="found"}': 1,
        "ailb_rag_unknown_citations_total": 1,
    }
    assert expected == {name: found[name] for name in expected}
    assert found == samples(two)


def test_without_documents_there_is_nothing_to_count() -> None:
    metrics = Metrics()
    counted(metrics)
    assert {"ailb_rag_unknown_citations_total": 0} == {
        name: value for name, value in samples(metrics).items() if name.startswith("ailb_rag")
    }
