"""`python -m benchmarks.others`: what the whole of AILB costs beside LiteLLM's plain proxy, and beside the floor."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.compared import Step, compare
from benchmarks.contenders import AILB, ENGINES, FLOOR, MONEY, Contender, Engine
from benchmarks.keys import keyed
from benchmarks.litellm import REQUIREMENT, litellm
from benchmarks.load import Workload, measure
from benchmarks.others_report import OWN, document, table
from benchmarks.pages import PAGE, put
from benchmarks.rounds import ground
from benchmarks.server import Ground, serving
from benchmarks.stats import Book
from benchmarks.upstream import Upstream

CHAT, CHATS, STREAM = Workload("chat", 1), Workload("chat", 64), Workload("burst", 1)
ASKED = (CHAT, CHATS, STREAM)
SLOW_SECONDS = 6.0
"""LiteLLM answers a dozen streams a second."""


@dataclass(frozen=True, slots=True)
class Plan:
    rounds: int = 3
    seconds: float = 3.0

    @property
    def steps(self) -> int:
        return 1 + self.rounds * (1 + 3 * len(ENGINES))


def main(arguments: Sequence[str] | None = None) -> int:
    told = parser().parse_args(arguments)
    plan = Plan(1, 2.0) if told.quick else Plan()
    return compare(told, plan, run, table, lambda book: put("others", document(book, plan.rounds)))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.others", description=f"{__doc__} Installs {REQUIREMENT} the first time.")
    made.add_argument("--quick", action="store_true", help="one short round")
    made.add_argument("--write", action="store_true", help=f"write the section of docs/{PAGE.name}")
    return made


def run(plan: Plan, step: Step) -> Book:
    """CPU seconds of each request, of the whole process tree; LiteLLM, which brings its own server, is under `OWN`."""
    step(f"installing {REQUIREMENT}, if it is not there")
    other, book = litellm(), Book()
    with ground() as (place, provider):
        for number in range(plan.rounds):
            where = f"round {number + 1} of {plan.rounds}"
            for engine in ENGINES:
                for contender in (FLOOR, AILB, MONEY):
                    step(f"{where}: {contender.name} on {engine}")
                    _measure(contender, engine, plan.seconds, (place, provider), book)
            step(f"{where}: {other.name}")
            _measure(other, OWN, SLOW_SECONDS, (place, provider), book)
    return book


def _measure(contender: Contender, engine: Engine, seconds: float, where: tuple[Ground, Upstream], book: Book) -> None:
    place, provider = where
    with ExitStack() as stack:
        server = stack.enter_context(serving(contender, engine, place))
        asked = keyed(server) if contender is MONEY else server
        for workload in ASKED:
            load = measure(asked, workload, provider, seconds, place)
            book.note(engine, contender.name, **{f"{workload.key}_cpu": load.cpu})


if __name__ == "__main__":
    sys.exit(main())
