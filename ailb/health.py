"""What this process knows of each target: whether it may be asked now, how busy it is, how fast it was lately.

It outlives a reload of the configuration, and is shared by whoever asks targets and whoever looks after them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ailb.breaker import Breaker, State
from ailb.dialect import Target
from ailb.failing import Failing
from ailb.latency import Latency
from ailb.tally import Row, Tally
from ailb.turns import in_turns

MOST_TARGETS = 10_000
"""A wildcard lets clients make up as many models as they like; the oldest are forgotten."""

MOST_TOLD = 2000
"""Targets of which a process tells the others how they are."""

HALF: Final = 0.03
"""The share of failures at which a target has half its weight."""

_KIND: Final = "health"
CHECKS: Final = "health_checks"
_IN_FLIGHT, _OPEN_UNTIL = range(2)
_WORST: Final[tuple[State, ...]] = ("closed", "half_open", "open")


@dataclass(slots=True)
class Health:
    """One target's. Times are the clock's monotonic seconds. `rests_until`: it said that it has had enough; `rests_because` is its word.
    `cached` is the share of prompts that it lately had in its cache. `row` is what other processes see of it.
    """

    target: Target
    breaker: Breaker = field(default_factory=Breaker)
    latency: Latency = field(default_factory=Latency)
    failing: Failing = field(default_factory=Failing)
    in_flight: int = 0
    rests_until: float = 0.0
    rests_because: str = ""
    cached: float = 0.0
    row: Row = field(default_factory=lambda: [0, 0], repr=False)

    def tell(self) -> None:
        """To be called when requests come or go and when the circuit may have changed."""
        breaker, row = self.breaker, self.row
        row[_IN_FLIGHT] = self.in_flight
        row[_OPEN_UNTIL] = 0 if breaker.opened is None else max(1, int((breaker.opened + breaker.seconds) * 1000))

    def weight(self, now: float) -> float:
        """The target's, and the less of it the more it fails: hardly less for one failure in a hundred, a hundredth for one in three.

        Failures are over soon and leave nothing in flight, so that who looks at load or speed alone sends most to whoever fails. After
        the error penalty in the weights of gRPC's weighted round robin, proposal A58, 2023.
        """
        return self.target.weight / (1.0 + (self.failing.share(now) / HALF) ** 2)

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
    """A service. A target's weight and limits may change with the configuration, its health stays. `tally` is where it is told to other
    processes.
    """

    def __init__(self, tally: Tally | None = None) -> None:
        self._tally = tally
        self._told: dict[tuple[str, str, int], Row] = {}
        if tally is not None:
            tally.clear(_KIND)
        self._known: dict[tuple[str, str, int], Health] = {}
        self._tolerance = Breaker()

    def of(self, target: Target) -> Health:
        key = (target.provider, target.model, target.credential)
        health = self._known.get(key)
        if health is None:
            if len(self._known) >= MOST_TARGETS:
                self._forget(next(iter(self._known)))
            health = self._known[key] = Health(target, Breaker(self._tolerance.after, self._tolerance.seconds), row=self._row(key))
        elif health.target is not target:
            health.target = target
        return health

    def tolerate(self, after: int, seconds: float) -> None:
        """So many failures in a row open a target's circuit for so long; from now on, for those that are known too."""
        for breaker in (self._tolerance, *(health.breaker for health in self._known.values())):
            breaker.after, breaker.seconds = after, seconds
        for health in self._known.values():
            health.tell()

    def checked(self, provider: str, result: str) -> None:
        """A provider was asked whether it is there: "well", "ill", or something that tells neither."""
        if self._tally is not None:
            self._tally.row(CHECKS, provider, result)[0] += 1

    def _row(self, key: tuple[str, str, int]) -> Row:
        row = self._told.get(key)
        if row is None:
            if self._tally is None or len(self._told) >= MOST_TOLD:
                return [0, 0]
            provider, model, credential = key
            row = self._told[key] = self._tally.row(_KIND, provider, model, str(credential), width=2)
        return row

    def _forget(self, key: tuple[str, str, int]) -> None:
        """What is still under way there tells nobody any more."""
        health = self._known.pop(key)
        health.row[_IN_FLIGHT] = health.row[_OPEN_UNTIL] = 0
        health.row = [0, 0]

    def __iter__(self) -> Iterator[Health]:
        return iter(tuple(self._known.values()))


async def standing(tally: Tally, now: float) -> dict[tuple[str, str], tuple[int, State]]:
    """By provider and model: the requests in flight over all processes and keys of the provider, and the worst circuit of any. `now` is
    monotonic, which is the same in all processes of a machine.
    """
    found: dict[tuple[str, str], tuple[int, State]] = {}
    async for (_, provider, model, _), (in_flight, until) in in_turns(tally.each(_KIND)):
        state: State = "closed" if not until else "open" if now * 1000 < until else "half_open"
        before, worst = found.get((provider, model), (0, "closed"))
        found[provider, model] = before + in_flight, worse(worst, state)
    return found


def worse(one: State, other: State) -> State:
    return max(one, other, key=rank)


def rank(state: State) -> int:
    """0 for a closed circuit, 1 for a half-open one, 2 for an open one."""
    return _WORST.index(state)
