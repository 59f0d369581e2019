"""`python -m benchmarks.routing_layer`: the CPU that the layer `routing` adds to a request with ten targets, for each strategy.

The layer and the prices are the real ones; who answers does so at once. The targets are known and busy, some have prompts in their cache,
some cost the same. It is the best of many rounds, less what the same requests take without the layer.
"""

import asyncio
import sys
from collections.abc import Mapping
from time import process_time

from rich.console import Console
from rich.table import Table

from ailb import config
from ailb.clock import Clock
from ailb.dialect import Target
from ailb.exchange import Attempt, Exchange, Outcome, Reply, batches_of
from ailb.health import Healths
from ailb.models import Models
from ailb.prices import PriceList
from ailb.stack import Next, stack
from ailb.testing import ask
from ailb.testing_money import WordCounter
from ailb.usage import Usage
from middleware.routing import Routing
from middleware.strategies import STRATEGIES

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano")
TARGETS = 10
ROUND, ROUNDS = 200, 50
OUTCOME = Outcome("complete", 200, 0.5, usage=Usage(1000, 100, cached=500))


def main() -> int:
    table = Table("strategy", "CPU, µs")
    for strategy, seconds in measured(ROUNDS).items():
        table.add_row(strategy, f"{seconds * 1e6:.1f}")
    Console().print(table)
    return 0


def measured(rounds: int, requests: int = ROUND) -> Mapping[str, float]:
    """CPU seconds that each strategy adds to a request. They take turns, so that what else the machine does meets all of them."""
    innermosts = {"": _answer, **{strategy: stack([layer(strategy)], _answer) for strategy in STRATEGIES}}
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, innermost in innermosts.items():
            seconds = asyncio.run(_timed(innermost, requests))
            best[name] = min(seconds, best.get(name, seconds))
    without = best.pop("")
    return {name: (seconds - without) / requests for name, seconds in best.items()}


def layer(strategy: str) -> Routing:
    clock, healths = Clock(), Healths()
    targets = [Target(f"p{place}", MODELS[place % len(MODELS)]) for place in range(TARGETS)]
    providers = [config.Provider(name=target.provider, kind="openai") for target in targets]
    for place, health in enumerate(map(healths.of, targets)):
        health.latency.observe(0.1 + 0.1 * place, clock.monotonic())
        health.in_flight, health.cached = place % 4, 0.5 * (place % 2)
    models = Models({target.provider: () for target in targets}, {"fake-model": targets})
    return Routing(models, clock, healths, PriceList([], providers, clock), WordCounter(), strategy=strategy)


async def _answer(exchange: Exchange) -> Reply:
    exchange.answered = Attempt(exchange.target or Target("", ""), exchange.prompt, 0.0, first_event=0.25)
    return Reply(batches_of([]))


async def _timed(innermost: Next, requests: int) -> float:
    exchanges = [ask("word " * 800, stream=number % 2 == 0) for number in range(requests)]
    began = process_time()
    for exchange in exchanges:
        await innermost(exchange)
        for settler in reversed(exchange.settlers):
            settler(OUTCOME)
    return process_time() - began


if __name__ == "__main__":
    sys.exit(main())
