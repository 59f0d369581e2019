"""How fast a target is, as far as one can tell from its answers lately. Without I/O; the time is an argument.

A streamed answer tells the time to its first token, a whole one only the time to its end, most of which is the writing of its tokens.
Nobody can tell these two parts of one number apart, so the two kinds of answer are kept apart, and a whole one is measured against a
typical target that takes half a second to begin and writes 50 tokens a second: one that took twice as long for its size counts as twice
as long for an answer of the typical size. That makes answers of different sizes comparable, exactly where a target's two parts are in
the typical ratio, and well enough to tell a fast target from a slow one elsewhere. What it costs to read a long prompt is not looked at.
"""

from array import array
from dataclasses import dataclass, field
from math import exp, inf

DECAY_SECONDS = 5.0
"""How fast a slow answer is forgotten, where faster ones follow it."""

FIRST_SECONDS = 0.5
TOKEN_SECONDS = 0.02
TYPICAL_TOKENS = 256
"""The typical answer; only the ratio of the first two matters for who is faster."""

TYPICAL_SECONDS = FIRST_SECONDS + TYPICAL_TOKENS * TOKEN_SECONDS

WINDOW = 100
"""Answers that a percentile is of."""

LEAST = 20
"""Fewer answers have no percentile."""


@dataclass(slots=True)
class Speed:
    """Of one kind of answer, in seconds. `recent` is a ring of the last ones as they were, `count` is how many there ever were."""

    seconds: float | None = None
    at: float = -inf
    count: int = 0
    recent: "array[float]" = field(default_factory=lambda: array("d"))

    def observe(self, seconds: float, now: float) -> None:
        """Peak-EWMA: a slower answer counts at once and in full, faster ones win it back with time (Finagle's load balancer, 2015)."""
        if self.seconds is None or seconds >= self.seconds:
            self.seconds = seconds
        else:
            self.seconds = seconds + (self.seconds - seconds) * exp(min(0.0, self.at - now) / DECAY_SECONDS)
        self.at = now

    def keep(self, seconds: float) -> None:
        if self.count < WINDOW:
            self.recent.append(seconds)
        else:
            self.recent[self.count % WINDOW] = seconds
        self.count += 1

    def percentile(self, share: float) -> float | None:
        if self.count < LEAST:
            return None
        return sorted(self.recent)[int(share * (len(self.recent) - 1) + 0.5)]


@dataclass(slots=True)
class Latency:
    """One target's."""

    streams: Speed = field(default_factory=Speed)
    wholes: Speed = field(default_factory=Speed)

    def observe(self, seconds: float, now: float, tokens: int | None = None) -> None:
        """A stream's first token came after `seconds`; or, where `tokens` are told, a whole answer of so many. `now` is monotonic time."""
        if tokens is None:
            self.streams.observe(seconds, now)
            self.streams.keep(seconds)
        else:
            self.wholes.observe(seconds * TYPICAL_SECONDS / (FIRST_SECONDS + tokens * TOKEN_SECONDS), now)
            self.wholes.keep(seconds)

    def expected(self, streamed: bool = True) -> float | None:
        """Seconds to the first token of a stream, or to the end of a whole answer of the typical size. None before any answer.

        Where there was none of the kind, the other one tells.
        """
        own, other = (self.streams, self.wholes) if streamed else (self.wholes, self.streams)
        if own.seconds is not None or other.seconds is None:
            return own.seconds
        return other.seconds * (FIRST_SECONDS / TYPICAL_SECONDS if streamed else TYPICAL_SECONDS / FIRST_SECONDS)

    def heard(self, streamed: bool = True) -> float:
        """When the last answer of the kind came; minus infinity before any."""
        return self.streams.at if streamed else self.wholes.at

    def p95(self, streamed: bool = True) -> float | None:
        """Seconds that 95 % of the last answers took to their first token, or whole ones to their end, of whatever size.

        None while there were fewer than 20 of the kind. It sorts a hundred numbers: not for every request of every target.
        """
        return (self.streams if streamed else self.wholes).percentile(0.95)
