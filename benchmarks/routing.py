"""`python -m benchmarks.routing`: every strategy against an oracle that knows how fast and how dear each target is just then.

A simulation on a virtual clock, the same for all: ten targets that slow down, or fail, and recover, and crowd. The same seed gives the same
numbers, but for the CPU time.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from time import process_time
from timeit import repeat
from types import MappingProxyType

from rich.console import Console
from rich.progress import track
from rich.table import Table

from ailb.dialect import Target
from ailb.health import Health
from ailb.strategy import Asked, Ranking
from ailb.testing import ask
from benchmarks.children import ROOT
from benchmarks.plot import Points, lines
from benchmarks.routing_traffic import Arrival, Rank, Server, Spell, run
from middleware.strategies import STRATEGIES
from middleware.strategies_stuck import stuck

TARGETS = 10
REQUESTS = 100_000
PER_SECOND = 30.0
SEED = 20_240_229
ROUND = 500
ORACLE = "oracle"
PAGE, PLOT = ROOT / "docs" / "routing.md", ROOT / "docs" / "routing.svg"
START, END = "<!-- measured -->\n", "<!-- end of measured -->\n"


@dataclass(frozen=True, slots=True)
class Scene:
    """`slots`: how many requests at a time a target takes before it slows down. `fails`: the share of them that it fails in its bad times,
    in which it is slow otherwise.
    """

    slots: int
    fails: float = 0.0


ROOMY, CROWDED, FLAKY = Scene(40), Scene(15), Scene(40, fails=0.3)
SCENES: Mapping[str, Scene] = MappingProxyType({"": ROOMY, ", crowded": CROWDED, ", flaky": FLAKY})


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds to the first token, nano-dollars in all, and the mean of each minute."""

    mean: float
    p99: float
    cost: int
    minutes: Points


def main(arguments: list[str] | None = None) -> int:
    told = parser().parse_args(arguments)
    requests = REQUESTS // 10 if told.quick else REQUESTS
    console = Console()
    names = [ORACLE, *STRATEGIES]
    runs = [(name, scene) for scene in SCENES.values() for name in names]
    found = {run: simulated(*run, requests) for run in track(runs, "simulating", console=console, transient=True)}
    rows = table(names, found, cheapest(requests))
    shown = Table(*rows[0])
    for row in rows[1:]:
        shown.add_row(*row)
    console.print(shown)
    console.print(f"`stuck` takes {timed(sticking) * 1e6:.1f} µs more.")
    if told.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), rows, found[ORACLE, ROOMY], requests), encoding="utf-8")
        PLOT.write_text(plotted({name: found[name, ROOMY] for name in names}), encoding="utf-8")
        console.print(f"written: {PAGE.relative_to(ROOT)} and {PLOT.relative_to(ROOT)}")
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.routing", description=__doc__)
    made.add_argument("--quick", action="store_true", help="a tenth of the requests")
    made.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name} and docs/{PLOT.name}")
    return made


def fleet(until: float, scene: Scene = ROOMY) -> list[Server]:
    """The fastest takes a fifth of a second, the slowest one second; who is fast is rather dear. Some of the time each is 3 to 10 times as
    slow, or fails.
    """
    dice = Random(SEED)
    servers = []
    for place in range(TARGETS):
        seconds = 0.2 * 5 ** (place / (TARGETS - 1))
        price = int(500 * (1.5 - seconds) * dice.uniform(0.5, 2)), int(2000 * (1.5 - seconds) * dice.uniform(0.5, 2))
        target = Target(f"p{place}", "m", max_parallel=2 * scene.slots)
        servers.append(Server(target, seconds, scene.slots, 0.3, price, list(spells(until, scene.fails, dice))))
    dice.shuffle(servers)
    return servers


def spells(until: float, fails: float, dice: Random) -> Sequence[Spell]:
    found, now = [], dice.uniform(0, 600)
    while now < until:
        end = now + dice.uniform(20, 120)
        times = dice.uniform(3, 10)
        found.append(Spell(now, end, fails=fails) if fails else Spell(now, end, times))
        now = end + dice.expovariate(1 / 400)
    return found


def arrivals(requests: int) -> list[Arrival]:
    dice, now, found = Random(SEED + 1), 0.0, []
    for _ in range(requests):
        now += dice.expovariate(PER_SECOND)
        found.append(Arrival(now, int(dice.lognormvariate(6, 1)), int(dice.lognormvariate(5, 0.7))))
    return found


def simulated(name: str, scene: Scene, requests: int) -> Figures:
    coming = arrivals(requests)
    servers = fleet(coming[-1].at, scene)
    rank = partial(fastest, servers) if name == ORACLE else STRATEGIES[name]
    served = list(run(servers, rank, coming, Random(SEED + 2)))
    seconds = sorted(one.seconds for one in served)
    minutes: dict[int, list[float]] = {}
    for one in served:
        minutes.setdefault(int(one.arrival.at // 60), []).append(one.seconds)
    return Figures(
        mean=sum(seconds) / requests,
        p99=seconds[requests * 99 // 100],
        cost=sum(one.cost for one in served),
        minutes=[(float(minute), sum(some) / len(some)) for minute, some in minutes.items()],
    )


def fastest(servers: Sequence[Server], asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    """The oracle: who would be the fastest for one more request, but for chance; those that fail come last."""
    ranked = sorted((server.fails(asked.now), server.expected(asked.now), place) for place, server in enumerate(servers))
    return [(seconds, servers[place].health) for _, seconds, place in ranked]


def cheapest(requests: int) -> int:
    """What it would cost if every prompt went to the cheapest target for it."""
    coming = arrivals(requests)
    servers = fleet(0.0)
    return sum(min(arrival.cost(server) for server in servers) for arrival in coming)


def sticking(asked: Asked, healths: Sequence[Health], dice: Random) -> Ranking:
    return stuck([(0.0, health) for health in healths], b"session-%d" % asked.number)


def timed(rank: Rank) -> float:
    """CPU seconds of one ranking of ten targets that are known and busy: the best of many rounds. What a price takes is not in it."""
    healths = [server.health for server in fleet(0.0)]
    for place, health in enumerate(healths):
        health.latency.observe(0.1 + 0.1 * place, 0.0)
        health.in_flight = place % 4
    exchange, dice = ask(stream=True), Random(1)
    asked = Asked(exchange.prompt, exchange.caller, 12345, 60.0, lambda target: len(target.provider))
    return min(repeat(lambda: rank(asked, healths, dice), timer=process_time, number=ROUND, repeat=20)) / ROUND


def table(names: Sequence[str], found: Mapping[tuple[str, Scene], Figures], least: int) -> list[list[str]]:
    """The head, and a row for each."""
    rows = [["", *(f"{what}{where}" for where in SCENES for what in ("mean", "p99")), "cost", "CPU, µs"]]
    for name in names:
        cells = [name]
        for scene in SCENES.values():
            one, best = found[name, scene], found[ORACLE, scene]
            cells += [f"{one.mean / best.mean:.2f}×", f"{one.p99 / best.p99:.2f}×"]
        cells.append(f"{found[name, ROOMY].cost / least:.2f}×")
        cells.append(f"{timed(STRATEGIES[name]) * 1e6:.1f}" if name in STRATEGIES else "")
        rows.append(cells)
    return rows


MEASURED = """\
{start}| {head} |
|---|{columns}|
{rows}

With room the oracle's mean is {mean:.2f} s and its p99 {p99:.2f} s; {requests:,} requests, {rate:g} a second.
Sticking to a target takes {stuck:.1f} µs more.

![The mean time to the first token in each minute, with room]({plot})
{end}"""


def written(page: str, rows: Sequence[Sequence[str]], oracle: Figures, requests: int) -> str:
    """The page with the measured part put in its place. Raises ValueError where it has no such place."""
    head, *others = rows
    measured = MEASURED.format(
        start=START,
        end=END,
        head=" | ".join(head),
        columns="|".join(["---:"] * (len(head) - 1)),
        rows="\n".join(f"| `{row[0]}` | {' | '.join(row[1:])} |" for row in others),
        mean=oracle.mean,
        p99=oracle.p99,
        requests=requests,
        rate=PER_SECOND,
        stuck=timed(sticking) * 1e6,
        plot=PLOT.name,
    )
    return page[: page.index(START)] + measured + page[page.index(END) + len(END) :]


def plotted(found: Mapping[str, Figures]) -> str:
    shown = {name: one.minutes for name, one in found.items()}
    return lines("Mean time to the first token in each minute, with room", "minutes", "seconds", shown, logarithmic=True)


if __name__ == "__main__":
    sys.exit(main())
