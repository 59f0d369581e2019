"""Traffic on a virtual clock: requests come, a strategy picks, targets answer as fast as they can just then. No sockets, no waiting."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import exp
from random import Random

from ailb.dialect import Target
from ailb.health import Health
from ailb.latency import FIRST_SECONDS, TOKEN_SECONDS
from ailb.strategy import Asked, Ranking
from ailb.testing import ask

Rank = Callable[[Asked, Sequence[Health], Random], Ranking]


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in which a server is `times` as slow, or fails a share of what it gets."""

    start: float
    end: float
    times: float = 1.0
    fails: float = 0.0


@dataclass(slots=True)
class Server:
    """Behind a target. `seconds` to a first token while it is well and at most `slots` requests are there; the more there are beyond
    that, the slower are all. `jitter` is the sigma of a log-normal. The price is in nano-dollars a token of input and of output. It fails
    after as long as it would have taken, or after `failure_seconds`.
    """

    target: Target
    seconds: float
    slots: float = 1e9
    jitter: float = 0.0
    price: tuple[int, int] = (0, 0)
    spells: Sequence[Spell] = ()
    failure_seconds: float | None = None
    health: Health = field(init=False)

    def __post_init__(self) -> None:
        self.health = Health(self.target)

    def expected(self, now: float) -> float:
        """Seconds to the first token of one more request, but for chance."""
        slower = max((spell.times for spell in self.spells if spell.start <= now < spell.end), default=1.0)
        return self.seconds * slower * max(1.0, (self.health.in_flight + 1) / self.slots)

    def fails(self, now: float) -> float:
        """The share of what it gets."""
        return max((spell.fails for spell in self.spells if spell.start <= now < spell.end), default=0.0)

    def full(self) -> bool:
        most = self.target.max_parallel
        return most is not None and self.health.in_flight >= most


@dataclass(frozen=True, slots=True)
class Arrival:
    at: float
    input: int = 100
    output: int = 0

    def cost(self, server: Server) -> int:
        return self.input * server.price[0] + self.output * server.price[1]


@dataclass(frozen=True, slots=True)
class Served:
    """`failed` were asked in vain before the one that answered; `seconds` are from the beginning."""

    arrival: Arrival
    server: Server
    seconds: float
    cost: int
    failed: Sequence[Server] = ()


def run(servers: Sequence[Server], rank: Rank, arrivals: Iterable[Arrival], dice: Random) -> Iterator[Served]:
    """Every request goes to the first of the ranking that is not full (to the very first where all are), and is a stream. Where that one
    fails it goes to the next. The last one never fails, and all of them are in flight from the beginning: simpler than it is.

    A server writes tokens as much slower or faster than the typical target as it begins to.
    """
    healths = [server.health for server in servers]
    behind = {id(server.health): server for server in servers}
    named = {server.target: server for server in servers}
    exchange = ask(stream=True)
    happens: list[tuple[float, int, Callable[[float], None]]] = []
    order = count()

    def then(due: float, what: Callable[[float], None]) -> None:
        heappush(happens, (due, next(order), what))

    for number, arrival in enumerate(arrivals):
        now = at = arrival.at
        while happens and happens[0][0] <= now:
            due, _, what = heappop(happens)
            what(due)
        asked = Asked(exchange.prompt, exchange.caller, number, now, partial(_price, arrival, named))
        ranked = [behind[id(health)] for _, health in rank(asked, healths, dice)]
        queue = [server for server in ranked if not server.full()] or ranked[:1]
        failed = []
        for left, server in zip(range(len(queue) - 1, -1, -1), queue, strict=True):
            seconds = server.expected(now)
            if server.jitter:
                seconds *= exp(dice.gauss(0.0, server.jitter))
            server.health.in_flight += 1
            fails = server.fails(now)
            if not (left and fails and dice.random() < fails):
                break
            failed.append(server)
            at += seconds if server.failure_seconds is None else server.failure_seconds
            then(at, partial(_over, server.health, True))
        then(at + seconds, partial(server.health.latency.observe, seconds))
        then(at + seconds * (1 + arrival.output * TOKEN_SECONDS / FIRST_SECONDS), partial(_over, server.health, False))
        yield Served(arrival, server, at + seconds - now, arrival.cost(server), failed)


def _price(arrival: Arrival, named: Mapping[Target, Server], target: Target) -> int:
    return arrival.cost(named[target])


def _over(health: Health, failed: bool, now: float) -> None:
    health.in_flight -= 1
    health.failing.observe(failed, now)


def poisson(rate: float, until: float, dice: Random) -> Iterator[Arrival]:
    """So many requests a second, by chance."""
    now = 0.0
    while (now := now + dice.expovariate(rate)) < until:
        yield Arrival(now)
