"""`python -m benchmarks.money`: what keys, limits, budgets and a durable ledger cost, beside AILB without them.

All answer the same requests in turns. The one with money is asked with a virtual key that has a budget, a rate limit and a token limit, so
every request is looked up, counted, held in the database before it leaves, and settled there after it.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import product

from benchmarks.children import ROOT
from benchmarks.compared import Step, compare
from benchmarks.contenders import AILB, ENGINES, FLOOR, MONEY, Contender
from benchmarks.keys import keyed
from benchmarks.load import WORKLOADS, Workload, measure
from benchmarks.money_report import document, table
from benchmarks.pages import put
from benchmarks.rounds import ground
from benchmarks.server import Server, serving
from benchmarks.stats import Book

PAGE = ROOT / "docs" / "money.md"
CALM = Workload("chat", 64, warm_seconds=1.0, pause=128)
CHATS = (*(workload for workload in WORKLOADS if workload.model == "chat"), CALM)
CONTENDERS = (FLOOR, AILB, MONEY)


@dataclass(frozen=True, slots=True)
class Plan:
    rounds: int = 8
    seconds: float = 1.5

    @property
    def steps(self) -> int:
        return self.rounds * len(ENGINES) * len(CHATS) * len(CONTENDERS)


def main(arguments: Sequence[str] | None = None) -> int:
    told = parser().parse_args(arguments)
    plan = Plan(1, 2.0) if told.quick else Plan()
    return compare(told, plan, run, table, lambda book: put("cost", document(book, plan.rounds), PAGE))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.money", description=(__doc__ or "").splitlines()[0])
    made.add_argument("--quick", action="store_true", help="one short round")
    made.add_argument("--write", action="store_true", help=f"write the table of docs/{PAGE.name}")
    return made


def run(plan: Plan, step: Step) -> Book:
    """CPU seconds of a request, seconds of latency, requests a second. All contenders stand ready, and each workload goes from one to the
    next: a machine that others use is another one a minute later.
    """
    book = Book()
    with ground() as (place, provider):
        for number in range(plan.rounds):
            for engine in ENGINES:
                with ExitStack() as stack:
                    servers = [_asked(contender, stack.enter_context(serving(contender, engine, place))) for contender in CONTENDERS]
                    for workload, server in product(CHATS, servers[:: -1 if number % 2 else 1]):
                        step(f"round {number + 1} of {plan.rounds}: {server.contender.name} on {engine}, {workload.key}")
                        load = asdict(measure(server, workload, provider, plan.seconds, place))
                        book.note(engine, server.contender.name, **{f"{workload.key}_{name}": value for name, value in load.items()})
    return book


def _asked(contender: Contender, server: Server) -> Server:
    return keyed(server) if contender is MONEY else server


if __name__ == "__main__":
    sys.exit(main())
