"""What this process knows of each target: whether it may be asked now, how busy it is, how fast it was lately.

It outlives a reload of the configuration, and is shared by whoever asks targets and whoever looks after them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ailb.breaker import Breaker
from ailb.dialect import Target
from ailb.latency import Latency

MOST_TARGETS = 10_000
"""A wildcard lets clients make up as many models as they like; the oldest are forgotten."""


@dataclass(slots=True)
class Health:
    """One target's. Times are the clock's monotonic seconds. `rests_until`: it said that it has had enough; `rests_because` is its word.
    `cached` is the share of prompts that it lately had in its cache.
    """

    target: Target
    breaker: Breaker = field(default_factory=Breaker)
    latency: Latency = field(default_factory=Latency)
    in_flight: int = 0
    rests_until: float = 0.0
    rests_because: str = ""
    cached: float = 0.0

    def bars(self, now: float) -> str:
        """Why it may not be asked now; empty where it may. Asks nothing of the breaker that it would have to remember."""
        if self.target.max_parallel and self.in_flight >= self.target.max_parallel:
            return "max_parallel reached"
        return "circuit open" if self.breaker.bars(now) else ""

    def rests(self, now: float) -> str:
        """Why it had better be left alone as long as there is another one."""
        return self.rests_because if now < self.rests_until else ""

    def free_in(self, now: float) -> float:
        """Seconds until it may be asked, as far as time alone decides that."""
        return max(self.breaker.retry_after(now), self.rests_until - now, 0.0)

    def rest(self, until: float, because: str) -> None:
        if until > self.rests_until:
            self.rests_until, self.rests_because = until, because


class Healths:
    """A service. A target's weight and limits may change with the configuration, its health stays."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], Health] = {}
        self._tolerance = Breaker()

    def of(self, target: Target) -> Health:
        key = (target.provider, target.model, target.credential)
        health = self._known.get(key)
        if health is None:
            if len(self._known) >= MOST_TARGETS:
                self._known.pop(next(iter(self._known)))
            health = self._known[key] = Health(target, Breaker(self._tolerance.after, self._tolerance.seconds))
        elif health.target is not target:
            health.target = target
        return health

    def tolerate(self, after: int, seconds: float) -> None:
        """So many failures in a row open a target's circuit for so long; from now on, for those that are known too."""
        for breaker in (self._tolerance, *(health.breaker for health in self._known.values())):
            breaker.after, breaker.seconds = after, seconds

    def __iter__(self) -> Iterator[Health]:
        return iter(tuple(self._known.values()))
