"""Prometheus metrics: counted here in plain numbers, turned into Prometheus' families when somebody asks.

Labels are bounded: configured providers and models, statuses; never a key, a user or a session. The sample names are those that the
usage guide lists, `ailb_tokens_processed` and `ailb_cost_total_usd` without Prometheus' customary `_total` at the end among them.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ailb.dialect import Target
from ailb.exchange import Exchange, Outcome
from ailb.money import NANO

BUCKETS_MS = (5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, 30000.0, 60000.0, 120000.0, 300000.0)
OTHER = "other"
MOST_SERIES = 2000
"""A wildcard lets clients make up model names; past this many they share one label."""


class Histogram:
    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_MS) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(BUCKETS_MS, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, as Prometheus wants them."""
        names = [*(str(bound) for bound in BUCKETS_MS), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


class Series:
    """What is counted of one target."""

    __slots__ = ("cost", "first", "good", "input", "latency", "output", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.latency = Histogram()
        self.first = Histogram()
        self.input = 0
        self.output = 0
        self.good = 0
        self.cost = 0

    @property
    def success_rate(self) -> float:
        """Of all requests, those that the upstream or the gateway did not fail; what a client did wrong counts as served."""
        requests = sum(self.statuses.values())
        return self.good / requests if requests else 1.0


class Metrics(Collector):
    """A registry of its own. `Metrics.request` is the `ailb.meter.Meter` that the access layer is given."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], Series] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._money = {"holds": 0, "clamps": 0}
        self._warnings: dict[str, int] = {}
        self._open = 0
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def request(self, exchange: Exchange, outcome: Outcome) -> None:
        series = self._series_of(exchange.target)
        series.statuses[outcome.http_status] = series.statuses.get(outcome.http_status, 0) + 1
        series.good += outcome.http_status < 500 and outcome.status != "broken"
        series.latency.observe(outcome.seconds * 1000)
        if outcome.first_event is not None:
            series.first.observe(outcome.first_event * 1000)
        if outcome.usage is not None and exchange.target is not None:  # an answer that is given again was counted the first time
            series.input += outcome.usage.input
            series.output += outcome.usage.output
        for attempt in exchange.attempts:
            key = (attempt.target.provider, str(attempt.status))
            self._attempts[key] = self._attempts.get(key, 0) + 1
            if attempt.cost is not None:
                self._money["holds"] += 1
                self._series_of(attempt.target).cost += attempt.cost
        self._money["clamps"] += "clamped" in exchange.notes
        for scope in exchange.notes.get("budget_warning", "").split(", "):
            if scope:
                self._warnings[scope] = self._warnings.get(scope, 0) + 1

    def opened(self, number: int) -> None:
        """How many exchanges are open now."""
        self._open = number

    def text(self) -> bytes:
        """The exposition, as `/metrics` answers it."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        labels = ["provider", "model"]
        requests = CounterMetricFamily("ailb_requests", "Requests", labels=[*labels, "status"])
        latency = HistogramMetricFamily("ailb_request_latency_ms", "Time to the last byte", labels=labels)
        first = HistogramMetricFamily("ailb_first_event_ms", "Time to the first event", labels=labels)
        tokens = GaugeMetricFamily("ailb_tokens_processed", "Tokens, as the providers counted them", labels=[*labels, "kind"])
        cost = GaugeMetricFamily("ailb_cost_total_usd", "What it cost", labels=labels)
        rate = GaugeMetricFamily("ailb_request_success_rate", "Share of the requests that did not fail", labels=labels)
        attempts = CounterMetricFamily("ailb_upstream_attempts", "Attempts at targets", labels=["provider", "status"])
        for key, series in self._series.items():
            for status, number in series.statuses.items():
                requests.add_metric([*key, str(status)], number)
            latency.add_metric(key, series.latency.buckets(), series.latency.total)
            first.add_metric(key, series.first.buckets(), series.first.total)
            tokens.add_metric([*key, "input"], series.input)
            tokens.add_metric([*key, "output"], series.output)
            cost.add_metric(key, series.cost / NANO)
            rate.add_metric(key, series.success_rate)
        for attempt, number in self._attempts.items():
            attempts.add_metric(attempt, number)
        yield from (requests, latency, first, tokens, cost, rate, attempts)
        yield from self._of_budgets()
        yield GaugeMetricFamily("ailb_open_exchanges", "Requests being served", value=self._open)

    def _of_budgets(self) -> Iterator[Metric]:
        yield CounterMetricFamily("ailb_budget_holds", "Attempts for which money was held", value=self._money["holds"])
        yield CounterMetricFamily("ailb_budget_clamps", "Answers that were capped at what was left", value=self._money["clamps"])
        warnings = CounterMetricFamily("ailb_budget_warnings", "Requests past a soft limit", labels=["scope"])
        for scope, number in self._warnings.items():
            warnings.add_metric([scope], number)
        yield warnings

    def _series_of(self, target: Target | None) -> Series:
        key = (target.provider, target.model) if target else (OTHER, OTHER)
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= MOST_SERIES:
                key = (key[0], OTHER)
            series = self._series.setdefault(key, Series())
        return series
