"""How long a target takes, as far as one can tell from how long it took lately. Pure: the time is an argument.

Peak-EWMA: a slower answer counts at once and in full, faster ones win it back little by little (Finagle's load balancer, 2015).
"""

from dataclasses import dataclass
from math import exp

DECAY_SECONDS = 10.0


@dataclass(slots=True)
class Latency:
    """Seconds to the first token; None before there was any. `at`: when it was last told."""

    seconds: float | None = None
    at: float = 0.0

    def observe(self, seconds: float, now: float) -> None:
        if self.seconds is None or seconds >= self.seconds:
            self.seconds = seconds
        else:
            old = exp(-max(0.0, now - self.at) / DECAY_SECONDS)
            self.seconds = old * self.seconds + (1 - old) * seconds
        self.at = now
