"""`python -m benchmarks.sticky`: what conversations gain that stay with their target, in tokens that the provider reads from its cache.

A simulation on a virtual clock, with the real strategies: conversations of many turns over some targets, each of which keeps the
beginnings of prompts for five minutes, in steps of 128 tokens from 1,024 on, as OpenAI documents it
(https://platform.openai.com/docs/guides/prompt-caching). The same seed gives the same numbers.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Final

from rich.console import Console
from rich.table import Table

from ailb.dialect import Target
from ailb.health import Health
from ailb.rates import Rates
from ailb.strategy import Asked
from ailb.testing import ask
from ailb.usage import Usage
from benchmarks.children import ROOT
from middleware.strategies import STRATEGIES
from middleware.strategies_stuck import stuck

CONVERSATIONS: Final = 2_000
TURNS: Final = 12
PAUSE_SECONDS: Final = 45.0
SYSTEM_TOKENS, TURN_TOKENS = 600, 350
KEEPS_SECONDS: Final = 300.0
STEP, LEAST = 128, 1024
RATES: Final = Rates.flat({"input": 2500, "output": 10_000, "cache_read": 1250})
"""Nano-dollars a token, as gpt-4o has cost."""

SEED: Final = 20_240_229
PAGE, START, END = ROOT / "docs" / "routing.md", "<!-- sticky -->\n", "<!-- end of sticky -->\n"


@dataclass(slots=True)
class Cache:
    """One target's: how many tokens of each conversation it saw, and when."""

    seen: dict[int, tuple[int, float]] = field(default_factory=dict)

    def reads(self, conversation: int, tokens: int, now: float) -> int:
        """Tokens of the prompt that were there; it is there from now on."""
        known, at = self.seen.get(conversation, (0, 0.0))
        self.seen[conversation] = (tokens, now)
        there = min(known, tokens) // STEP * STEP if now - at <= KEEPS_SECONDS else 0
        return there if there >= LEAST else 0


@dataclass(slots=True)
class Figures:
    given: int = 0
    cached: int = 0
    nanos: int = 0

    @property
    def share(self) -> float:
        return self.cached / self.given


def arrivals(dice: Random) -> Iterator[tuple[float, int, int]]:
    """Seconds, conversation and turn, in the order of time."""
    waiting: list[tuple[float, int, int]] = []
    for conversation in range(CONVERSATIONS):
        heappush(waiting, (dice.uniform(0, 3600), conversation, 0))
    while waiting:
        now, conversation, turn = heappop(waiting)
        yield now, conversation, turn
        if turn + 1 < TURNS:
            heappush(waiting, (now + dice.expovariate(1 / PAUSE_SECONDS), conversation, turn + 1))


def run(targets: int, *, sticky: bool) -> Figures:
    dice = Random(SEED)
    healths = [Health(Target(f"provider-{number}", "m")) for number in range(targets)]
    caches = {health.target.provider: Cache() for health in healths}
    exchange, figures = ask(), Figures()
    for number, (now, conversation, turn) in enumerate(arrivals(Random(SEED))):
        asked = Asked(exchange.prompt, exchange.caller, number, now, lambda target: None)
        ranking = STRATEGIES["load_balanced"](asked, healths, dice)
        if sticky:
            ranking = stuck(ranking, str(conversation).encode())
        tokens = SYSTEM_TOKENS + turn * TURN_TOKENS
        cached = caches[ranking[0][1].target.provider].reads(conversation, tokens, now)
        figures.given += tokens
        figures.cached += cached
        figures.nanos += RATES.cost(Usage(tokens, 0, cached))
    return figures


def rows() -> list[list[str]]:
    made = []
    for targets in (1, 2, 4, 8):
        loose, stuck_ = run(targets, sticky=False), run(targets, sticky=True)
        saved = 1 - stuck_.nanos / loose.nanos
        made.append([str(targets), f"{loose.share:.0%}", f"{stuck_.share:.0%}", f"{saved:.0%}"])
    return made


HEAD: Final = ["targets", "cached, load_balanced", "cached, and sticky", "of the input's price saved"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sticky", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    told = parser.parse_args(arguments)
    found = rows()
    shown = Table(*HEAD)
    for row in found:
        shown.add_row(*row)
    Console().print(shown)
    if told.write:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(START)
        lines = [f"| {' | '.join(row)} |" for row in [HEAD, ["---:"] * len(HEAD), *found]]
        PAGE.write_text(before + START + "\n".join(lines) + "\n" + END + rest.partition(END)[2], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
