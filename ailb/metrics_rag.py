"""What became of searches in documents, as Prometheus' families: counted from what the layer `rag` noted of a request."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric

from ailb.histograms import Histogram
from ailb.tally import Name, Row, Tally

_TIMES: Final = Histogram((5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0))
_SECOND: Final = 1000
_KIND: Final = "rag"
_WRONG: Final = "rag_wrong"


class Searches:
    """Counts into the tally of its process."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._rows: dict[str, Row] = {}
        self._wrong = tally.row(_WRONG)

    def count(self, notes: Mapping[str, Any]) -> None:
        """`notes` are an exchange's, which may have searched nothing."""
        outcome = notes.get("rag")
        if outcome is None:
            return
        row = self._rows.get(outcome)
        if row is None:
            row = self._rows[outcome] = self._tally.row(_KIND, outcome, width=_TIMES.width)
        _TIMES.add(row, 0, notes["rag_ms"])
        if "rag_unknown" in notes:
            self._wrong[0] += 1


def families(sums: Mapping[Name, Sequence[int]]) -> Iterator[Metric]:
    """`sums` as a tally has them."""
    queries = CounterMetricFamily("ailb_rag_queries", "Requests that named a collection of documents", labels=["outcome"])
    latency = HistogramMetricFamily("ailb_rag_latency_seconds", "Time that the search of documents took", labels=["outcome"])
    for (kind, *labels), numbers in sums.items():
        if kind == _KIND:
            queries.add_metric(labels, _TIMES.count(numbers, 0))
            latency.add_metric(labels, *_TIMES.cumulative(numbers, 0, _SECOND))
    wrong = sums.get((_WRONG,), (0,))[0]
    yield from (queries, latency, CounterMetricFamily("ailb_rag_unknown_citations", "Answers that cite no source there is", value=wrong))
