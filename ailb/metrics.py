"""Prometheus metrics: counted in plain numbers (`ailb.tally`), turned into Prometheus' families when somebody asks.

Labels are bounded: configured providers and models, statuses; never a key, a user or a session. The sample names are those that the
usage guide lists, `ailb_tokens_processed` and `ailb_cost_total_usd` without Prometheus' customary `_total` at the end among them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from ailb import metrics_attempts, metrics_memory, metrics_rag, metrics_shadow
from ailb.attempts import ERROR, KIND, MOST_TARGETS, OTHER, Attempts
from ailb.clock import Clock
from ailb.dialect import Target
from ailb.exchange import Exchange, Outcome
from ailb.health import standing
from ailb.histograms import Histogram
from ailb.metrics_attempts import Rows
from ailb.metrics_text import Exposition
from ailb.money import NANO
from ailb.tally import Name, Row, Tally
from ailb.turns import in_turns

BUCKETS_MS = (5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, 30000.0, 60000.0, 120000.0, 300000.0)

_TARGET: Final = "target"
_REQUESTS: Final = "requests"
_TIMES: Final = Histogram(BUCKETS_MS)
_GOOD, _INPUT, _OUTPUT, _COST, _LATENCY = range(5)
_FIRST: Final = _LATENCY + _TIMES.width
_WIDTH: Final = _FIRST + _TIMES.width
"""What is counted of one target: a row of it."""


class Series:
    """One target's row, and a row of one number for each status."""

    __slots__ = ("_key", "_statuses", "_tally", "row")

    def __init__(self, tally: Tally, key: Name) -> None:
        self._tally = tally
        self._key = key
        self._statuses: dict[int, Row] = {}
        self.row = tally.row(_TARGET, *key, width=_WIDTH)

    def answered(self, status: int) -> None:
        row = self._statuses.get(status)
        if row is None:
            row = self._statuses[status] = self._tally.row(_REQUESTS, *self._key, str(status))
        row[0] += 1


class Metrics:
    """`Metrics.request` is the `ailb.meter.Meter` that the access layer is given."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, tally: Tally | None = None, clock: Clock | None = None) -> None:
        self.tally = Tally() if tally is None else tally
        self.clock = clock or Clock()
        self._series: dict[Name, Series] = {}
        self._attempts: dict[Name, Row] = {}
        self._warnings: dict[str, Row] = {}
        self._ends = Attempts(self.tally, self.clock)
        self._searches = metrics_rag.Searches(self.tally)
        self.memories = metrics_memory.Memories(self.tally)
        self._shadows = metrics_shadow.Shadows(self.tally)
        self._holds, self._clamps = self.tally.row("holds"), self.tally.row("clamps")
        self.open = self.tally.row("open")
        """How many requests are open now, to be kept up to date by who opens them."""
        self.open[0] = 0

    def request(self, exchange: Exchange, outcome: Outcome) -> None:
        series = self._series_of(exchange.target)
        row = series.row
        series.answered(outcome.http_status)
        row[_GOOD] += outcome.http_status < 500 and outcome.status != "broken"
        _TIMES.add(row, _LATENCY, outcome.seconds * 1000)
        if outcome.first_event is not None:
            _TIMES.add(row, _FIRST, outcome.first_event * 1000)
        if outcome.usage is not None and exchange.target is not None:  # an answer that is given again was counted the first time
            row[_INPUT] += outcome.usage.input
            row[_OUTPUT] += outcome.usage.output
        self._ends.count(exchange, outcome)
        if exchange.notes:
            self._noted(exchange.notes)
        for attempt in exchange.attempts:
            self._attempt(attempt.target.provider, str(attempt.status or "none"))
            if attempt.cost is not None:
                self._holds[0] += 1
                self._series_of(attempt.target).row[_COST] += attempt.cost

    def shadow(self, model: str, outcome: Outcome) -> None:
        self._shadows.count(model, outcome)

    async def served(self) -> tuple[int, int]:
        """How many requests there were, and how many of them did not fail."""
        total = good = 0
        async for (kind, *_), numbers in self.tally.walk():
            if kind == _TARGET:
                total += _TIMES.count(numbers, _LATENCY)
                good += numbers[_GOOD]
        return total, good

    async def exposition(self) -> Exposition:
        """As `/metrics` answers it: of all processes that share the tally. Everything else has its turn meanwhile."""
        exposition = Exposition()
        sums: dict[Name, list[int]] = {}
        for families in _EACH.values():
            exposition.add(families(()))
        async for name, numbers in self.tally.walk():
            if name[0] in _EACH:
                exposition.add(_EACH[name[0]]([(name[1:], numbers)]))
            elif name[0] != ERROR:  # of which there may be thousands, and no family tells them
                sums[name] = numbers
        exposition.add(metrics_attempts.of_standing(()))
        async for one in in_turns((await standing(self.tally, self.clock.monotonic())).items()):
            exposition.add(metrics_attempts.of_standing([one]))
        exposition.add(self._of_all(sums))
        return exposition

    def _of_all(self, sums: Mapping[Name, Sequence[int]]) -> Iterator[Metric]:
        yield from metrics_attempts.families(sums)
        yield from metrics_rag.families(sums)
        yield from self.memories.families(sums)
        yield from metrics_shadow.families(sums)
        attempts = CounterMetricFamily("ailb_upstream_attempts", "Attempts at targets", labels=["provider", "status"])
        warnings = CounterMetricFamily("ailb_budget_warnings", "Requests past a soft limit", labels=["scope"])
        searches = CounterMetricFamily("ailb_rag_searches", "Searches of documents: by words and meaning or by words", labels=["how"])
        for kind, family in (("attempts", attempts), ("warnings", warnings), ("retrievals", searches)):
            for (found, *labels), numbers in sums.items():
                if found == kind:
                    family.add_metric(labels, numbers[0])
        yield from (attempts, warnings, searches)
        yield CounterMetricFamily("ailb_budget_holds", "Attempts for which money was held", value=sums["holds",][0])
        yield CounterMetricFamily("ailb_budget_clamps", "Answers that were capped at what was left", value=sums["clamps",][0])
        yield GaugeMetricFamily("ailb_open_exchanges", "Requests being served", value=sums["open",][0])

    def _noted(self, notes: Mapping[str, Any]) -> None:
        self._searches.count(notes)
        self.memories.count(notes)
        if "clamped" in notes:
            self._clamps[0] += 1
        for scope in notes.get("budget_warning", "").split(", "):
            if scope:
                self._warn(scope)

    def _attempt(self, provider: str, status: str) -> None:
        row = self._attempts.get((provider, status))
        if row is None:
            row = self._attempts[provider, status] = self.tally.row("attempts", provider, status)
        row[0] += 1

    def _warn(self, scope: str) -> None:
        row = self._warnings.get(scope)
        if row is None:
            row = self._warnings[scope] = self.tally.row("warnings", scope)
        row[0] += 1

    def _series_of(self, target: Target | None) -> Series:
        key = (target.provider, target.model) if target else (OTHER, OTHER)
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= MOST_TARGETS:
                key = (key[0], OTHER)
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = Series(self.tally, key)
        return series


def _targets(rows: Rows) -> Iterator[Metric]:
    labels = ["provider", "model"]
    latency = HistogramMetricFamily("ailb_request_latency_ms", "Time to the last byte", labels=labels)
    first = HistogramMetricFamily("ailb_first_event_ms", "Time to the first event", labels=labels)
    tokens = GaugeMetricFamily("ailb_tokens_processed", "Tokens, as the providers counted them", labels=[*labels, "kind"])
    cost = GaugeMetricFamily("ailb_cost_total_usd", "What it cost", labels=labels)
    rate = GaugeMetricFamily("ailb_request_success_rate", "Share of the requests that did not fail", labels=labels)
    for key, numbers in rows:
        latency.add_metric(key, *_TIMES.cumulative(numbers, _LATENCY))
        first.add_metric(key, *_TIMES.cumulative(numbers, _FIRST))
        tokens.add_metric([*key, "input"], numbers[_INPUT])
        tokens.add_metric([*key, "output"], numbers[_OUTPUT])
        cost.add_metric(key, numbers[_COST] / NANO)
        rate.add_metric(key, _rate(numbers))
    yield from (latency, first, tokens, cost, rate)


def _requests(rows: Rows) -> Iterator[Metric]:
    counted = CounterMetricFamily("ailb_requests", "Requests", labels=["provider", "model", "status"])
    for labels, numbers in rows:
        counted.add_metric(labels, numbers[0])
    yield counted


def _rate(numbers: Sequence[int]) -> float:
    """Of all requests, those that the upstream or the gateway did not fail; what a client did wrong counts as served."""
    requests = _TIMES.count(numbers, _LATENCY)
    return numbers[_GOOD] / requests if requests else 1.0


_EACH: Final[Mapping[str, Callable[[Rows], Iterator[Metric]]]] = {
    _TARGET: _targets,
    _REQUESTS: _requests,
    KIND: metrics_attempts.of_targets,
}
"""The kinds of rows of which there may be thousands: some for each target."""
