"""`python -m benchmarks.money`: what keys, limits, budgets and a durable ledger cost, beside AILB without them.

Both answer the same requests in turns. The one with money is asked with a virtual key that has a budget, a rate limit and a token limit, so
every request is looked up, counted, held in the database before it leaves, and settled there after it.
"""

import sys
from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from benchmarks.children import BenchmarkError
from benchmarks.contenders import AILB, ENGINES, MONEY, Engine
from benchmarks.keys import keyed
from benchmarks.load import WORKLOADS, Load, Workload, measure
from benchmarks.rounds import ground
from benchmarks.server import Ground, serving
from benchmarks.stats import Spread, spread
from benchmarks.terminal import progress, warn_if_busy
from benchmarks.upstream import Upstream

ROUNDS = 3
SECONDS = 3.0
CALM = Workload("chat", 64, warm_seconds=1.0, pause=128)
"""Some 500 requests a second to both, which saturates neither: only here latencies can be compared."""

CHATS = (*(workload for workload in WORKLOADS if workload.model == "chat"), CALM)


def main() -> int:
    console = Console()
    warn_if_busy(console)
    found: dict[tuple[Engine, Workload], list[tuple[Load, Load]]] = {}
    try:
        with progress(console, ROUNDS * len(ENGINES) * len(CHATS)) as step, ground() as (place, provider):
            for number in range(ROUNDS):
                for engine in ENGINES:
                    for workload in CHATS:
                        step(f"round {number + 1} of {ROUNDS}, {engine}, {workload.key}")
                        found.setdefault((engine, workload), []).append(_pair(engine, workload, place, provider))
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    console.print(_table(found))
    return 0


def _pair(engine: Engine, workload: Workload, place: Ground, provider: Upstream) -> tuple[Load, Load]:
    """Without money, and with it."""
    with ExitStack() as stack:
        plain = stack.enter_context(serving(AILB, engine, place))
        paid = keyed(stack.enter_context(serving(MONEY, engine, place)))
        return measure(plain, workload, provider, SECONDS, place), measure(paid, workload, provider, SECONDS, place)


def _table(found: dict[tuple[Engine, Workload], list[tuple[Load, Load]]]) -> Table:
    table = Table("", "CPU without, µs", "CPU with, µs", "more, µs", "p50 more, ms", "requests a second")
    for (engine, workload), pairs in found.items():
        table.add_row(
            f"{engine}, chat × {workload.connections}" + (", calm" if workload.pause else ""),
            _cell([plain.cpu * 1e6 for plain, _ in pairs]),
            _cell([paid.cpu * 1e6 for _, paid in pairs]),
            _cell([(paid.cpu - plain.cpu) * 1e6 for plain, paid in pairs]),
            _cell([(paid.p50 - plain.p50) * 1e3 for plain, paid in pairs], digits=2),
            _cell([paid.rate for _, paid in pairs]),
        )
    return table


def _cell(values: list[float], digits: int = 0) -> str:
    found = spread(values) or Spread(0, 0, 0)
    return f"{found.middle:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"


if __name__ == "__main__":
    sys.exit(main())
