"""Prometheus metrics. Labels are bounded: configured providers and models, statuses; never a key, a user or a session.

The sample names are those that the usage guide lists. prometheus_client puts `_total` behind every counter's name, so the two that
must not carry it (`ailb_tokens_processed`, and `ailb_cost_total_usd`) are gauges that only grow.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ailb.exchange import Exchange, Outcome

BUCKETS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 120000, 300000)
OTHER = "other"
MOST_MODELS = 500


class Metrics:
    """A registry of its own. `Metrics.request` is the `ailb.meter.Meter` that the access layer is given."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("provider", "model")
        make = self.registry
        self._requests = Counter("ailb_requests", "Requests", (*labels, "status"), registry=make)
        self._latency = Histogram("ailb_request_latency_ms", "Time to the last byte", labels, buckets=BUCKETS_MS, registry=make)
        self._first = Histogram("ailb_first_event_ms", "Time to the first event", labels, buckets=BUCKETS_MS, registry=make)
        self._tokens = Gauge("ailb_tokens_processed", "Tokens, as the providers counted them", (*labels, "kind"), registry=make)
        self._attempts = Counter("ailb_upstream_attempts", "Attempts at targets", ("provider", "status"), registry=make)
        self._open = Gauge("ailb_open_exchanges", "Requests being served", registry=make)
        self._models: set[str] = set()

    def request(self, exchange: Exchange, outcome: Outcome) -> None:
        target = exchange.target
        provider, model = (target.provider, self._bounded(target.model)) if target else (OTHER, OTHER)
        self._requests.labels(provider, model, str(outcome.http_status)).inc()
        self._latency.labels(provider, model).observe(outcome.seconds * 1000)
        if outcome.first_event is not None:
            self._first.labels(provider, model).observe(outcome.first_event * 1000)
        if outcome.usage is not None:
            self._tokens.labels(provider, model, "input").inc(outcome.usage.input)
            self._tokens.labels(provider, model, "output").inc(outcome.usage.output)
        for attempt in exchange.attempts:
            self._attempts.labels(attempt.target.provider, str(attempt.status)).inc()

    def opened(self, number: int) -> None:
        """How many exchanges are open now."""
        self._open.set(number)

    def text(self) -> bytes:
        """The exposition, as `/metrics` answers it."""
        return generate_latest(self.registry)

    def _bounded(self, model: str) -> str:
        """A wildcard lets clients make up model names; past the limit they share one label."""
        if model in self._models:
            return model
        if len(self._models) >= MOST_MODELS:
            return OTHER
        self._models.add(model)
        return model


def names(metrics: Metrics) -> Iterable[str]:
    """The families that there are."""
    return (family.name for family in metrics.registry.collect())
