"""What became of attempts at targets, as Prometheus' families."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from ailb.attempts import (
    BETWEEN,
    BETWEEN_AT,
    CACHED,
    FALLBACKS,
    FIRST,
    FIRST_AT,
    HEDGES,
    LATENCIES,
    LATENCY,
    LATENCY_AT,
    RETRIES,
    TURNS,
)
from ailb.breaker import State
from ailb.health import CHECKS, rank
from ailb.tally import Name

Rows = Sequence[tuple[Sequence[str], Sequence[int]]]
"""Labels, and what was counted under them."""

_LABELS: Final = ("provider", "model")
_SECOND: Final = 1000
"""Milliseconds in it: Prometheus' unit of time is the second."""

_TOLD: Final = frozenset(LATENCIES)
"""Of the many buckets of the latency, those that are told."""

_HISTOGRAMS: Final = (
    ("ailb_attempt_latency_seconds", "Time from the asking of a target to the end of its answer", LATENCY, LATENCY_AT, _TOLD),
    ("ailb_time_to_first_token_seconds", "Time from the asking of a target to the first event of its stream", FIRST, FIRST_AT, None),
    ("ailb_time_between_tokens_seconds", "Time from the first event of a stream to its end, by its tokens", BETWEEN, BETWEEN_AT, None),
)
_TURNS: Final = (
    ("ailb_retries", "Times that all targets of a request were asked once more", RETRIES),
    ("ailb_hedges", "Requests for which a second target was asked beside the first", HEDGES),
    ("ailb_fallbacks", "Requests that turned to another model", FALLBACKS),
)


def of_targets(rows: Rows) -> Iterator[Metric]:
    """`rows` of the kind `ailb.attempts.KIND`, by provider and model."""
    for name, about, histogram, start, only in _HISTOGRAMS:
        family = HistogramMetricFamily(name, about, labels=_LABELS)
        for labels, numbers in rows:
            if histogram.count(numbers, start):
                family.add_metric(labels, *histogram.cumulative(numbers, start, _SECOND, only))
        yield family
    cached = CounterMetricFamily("ailb_cached_input_tokens", "Input tokens that a provider had in its cache", labels=_LABELS)
    for labels, numbers in rows:
        cached.add_metric(labels, numbers[CACHED])
    yield cached


def of_standing(standing: Iterable[tuple[Name, tuple[int, State]]]) -> Iterator[Metric]:
    """Items of what `ailb.health.standing` tells."""
    busy = GaugeMetricFamily("ailb_in_flight", "Attempts under way", labels=_LABELS)
    circuit = GaugeMetricFamily("ailb_circuit_state", "0 closed, 1 half-open, 2 open: the worst of all processes", labels=_LABELS)
    for target, (in_flight, state) in standing:
        busy.add_metric(target, in_flight)
        circuit.add_metric(target, rank(state))
    yield from (busy, circuit)


def families(sums: Mapping[Name, Sequence[int]]) -> Iterator[Metric]:
    """Of all targets together. `sums` as a tally has them."""
    checks = CounterMetricFamily("ailb_health_checks", "Times that a provider was asked whether it is there", labels=("provider", "result"))
    for (kind, *labels), numbers in sums.items():
        if kind == CHECKS:
            checks.add_metric(labels, numbers[0])
    yield checks
    turns = sums.get((TURNS,), (0, 0, 0))
    yield from (CounterMetricFamily(name, about, value=turns[place]) for name, about, place in _TURNS)
