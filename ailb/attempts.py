"""What came of each attempt at a target, counted in rows of a tally; and the last error of each, out of them.

An attempt failed where another target might have done better: one that refuses what is wrong anywhere (400, 413, 422, its content) did what
it should. Times are milliseconds. Latency is of answers that came to their end, time to the first token of streams alone.
"""

import re
from typing import Final

from ailb.clock import Clock
from ailb.dialect import Target
from ailb.errors import Refusal, UpstreamFailure
from ailb.exchange import Attempt, Exchange, Outcome
from ailb.histograms import Histogram, filled
from ailb.tally import Name, Row, Tally
from ailb.turns import in_turns

OTHER: Final = "other"
MOST_TARGETS: Final = 2000
"""A wildcard lets clients make up model names; past this many in a process they share one."""

MOST_ERRORS: Final = 16
"""Kinds of error of one target; past this many they are told by their status alone."""

LATENCIES: Final = (0.1, 1, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000)
LATENCY: Final = Histogram(filled(LATENCIES, 1.1))
"""In steps of at most a tenth, for percentiles: 1.4 KB for each target that was asked."""

FIRST: Final = Histogram((10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000))
BETWEEN: Final = Histogram((1, 2.5, 5, 10, 20, 30, 50, 75, 100, 200, 500, 1000))

REQUESTS, FAILED, CACHED, LATENCY_AT = range(4)
FIRST_AT: Final = LATENCY_AT + LATENCY.width
BETWEEN_AT: Final = FIRST_AT + FIRST.width
WIDTH: Final = BETWEEN_AT + BETWEEN.width
"""The row of a target: what an attempt adds to, and where its histograms begin."""

RETRIES, HEDGES, FALLBACKS = range(3)
"""The row of all requests."""

KIND: Final = "attempt"
TURNS: Final = "turns"
ERROR: Final = "error"
_CODE: Final = re.compile(r"[\w.:-]{1,64}", re.ASCII)


class Attempts:
    """Counts those of each exchange, when that is over. Takes about 2 microseconds."""

    def __init__(self, tally: Tally, clock: Clock) -> None:
        self._tally = tally
        self._clock = clock
        self._rows: dict[Name, Row] = {}
        self._errors: dict[Name, dict[str, Row]] = {}
        self._turns = tally.row(TURNS, width=3)

    def count(self, exchange: Exchange, outcome: Outcome) -> None:
        answered = exchange.answered
        for attempt in exchange.attempts:
            target = attempt.target
            row = self._rows.get((target.provider, target.model)) or self._made(target)
            row[REQUESTS] += 1
            failure = attempt.failure or (outcome.refusal if attempt is answered else None)
            if isinstance(failure, UpstreamFailure):
                if failure.retry_elsewhere:
                    row[FAILED] += 1
                    self._failed(target, failure)
            elif attempt is answered and outcome.status == "complete":
                _answer(row, attempt, outcome)
        notes = exchange.notes
        if notes:
            self._turns[RETRIES] += notes.get("retries", 0)
            self._turns[HEDGES] += "hedged" in notes
            self._turns[FALLBACKS] += "fallback" in notes

    def _made(self, target: Target) -> Row:
        name = self._name(target)
        if name not in self._rows:
            self._rows[name] = self._tally.row(KIND, *name, width=WIDTH)
        return self._rows[name]

    def _name(self, target: Target) -> Name:
        name = (target.provider, target.model)
        return name if name in self._rows or len(self._rows) < MOST_TARGETS else (target.provider, OTHER)

    def _failed(self, target: Target, failure: UpstreamFailure) -> None:
        name = self._name(target)
        known = self._errors.setdefault(name, {})
        said = told(failure)
        if said not in known:
            if len(known) >= MOST_ERRORS:
                said = str(failure.status)
            known[said] = known.get(said) or self._tally.row(ERROR, *name, said)
        known[said][0] = int(self._clock.unix() * 1000)


def told(refusal: Refusal) -> str:
    """The status and the code, or the type. Never what an upstream said besides: it may quote the prompt."""
    words = (word for word in (refusal.code, refusal.type) if isinstance(word, str) and _CODE.fullmatch(word))
    return f"{refusal.status} {next(words, '')}".strip()


async def last_errors(tally: Tally) -> dict[Name, tuple[float, str]]:
    """By provider and model: the Unix time of the last error in any process, and what it was."""
    found: dict[Name, tuple[float, str]] = {}
    async for (_, provider, model, said), (millis, *_) in in_turns(tally.each(ERROR)):
        name = (provider, model)
        found[name] = max(found.get(name, (0.0, "")), (millis / 1000, said))
    return found


def _answer(row: Row, attempt: Attempt, outcome: Outcome) -> None:
    """The exchange ends with the last attempt's answer."""
    millis = (outcome.seconds - attempt.started) * 1000
    LATENCY.add(row, LATENCY_AT, millis)
    usage, first = outcome.usage, attempt.first_event
    if usage is not None and usage.cached:
        row[CACHED] += usage.cached
    if first is not None and attempt.prompt.stream:
        FIRST.add(row, FIRST_AT, (first - attempt.started) * 1000)
        if usage is not None and usage.output:
            BETWEEN.add(row, BETWEEN_AT, (outcome.seconds - first) * 1000 / usage.output)
