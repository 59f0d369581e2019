"""What became of the copies that another model was sent, apart from what clients asked for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric

from ailb.exchange import Outcome
from ailb.histograms import Histogram
from ailb.tally import Name, Row, Tally

TIMES: Final = Histogram((10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000))
_SECOND: Final = 1000
_REQUESTS: Final = "shadow"
_LATENCY: Final = "shadow_latency"


class Shadows:
    """Labels are models that the configuration names, and outcomes."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._rows: dict[Name, Row] = {}

    def count(self, model: str, outcome: Outcome) -> None:
        self._row(1, _REQUESTS, model, outcome.status)[0] += 1
        if outcome.status == "complete":
            TIMES.add(self._row(TIMES.width, _LATENCY, model), 0, outcome.seconds * 1000)

    def _row(self, width: int, *name: str) -> Row:
        if name not in self._rows:
            self._rows[name] = self._tally.row(*name, width=width)
        return self._rows[name]


def families(sums: Mapping[Name, Sequence[int]]) -> Iterator[Metric]:
    requests = CounterMetricFamily("ailb_shadow_requests", "Copies of requests that another model was sent", labels=("model", "outcome"))
    latency = HistogramMetricFamily("ailb_shadow_latency_seconds", "Time to the end of their answers", labels=("model",))
    for (kind, *labels), numbers in sums.items():
        if kind == _REQUESTS:
            requests.add_metric(labels, numbers[0])
        elif kind == _LATENCY:
            latency.add_metric(labels, *TIMES.cumulative(numbers, 0, _SECOND))
    yield from (requests, latency)
