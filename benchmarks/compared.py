"""What the runs have in common that compare contenders: measured step by step, shown, and written into a page if that is wanted."""

import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Protocol, TypeVar

from rich.console import Console
from rich.table import Table

from benchmarks.children import BenchmarkError, leave_when_told
from benchmarks.stats import Book
from benchmarks.terminal import progress, warn_if_busy

Step = Callable[[str], None]
"""Called with the name of what begins."""


class Planned(Protocol):
    """How much is measured."""

    @property
    def steps(self) -> int: ...


P = TypeVar("P", bound=Planned)


def compare(told: Namespace, plan: P, run: Callable[[P, Step], Book], table: Callable[[Book], Table], write: Callable[[Book], None]) -> int:
    """The exit status. `told.write`: whether `write` is called."""
    leave_when_told()
    console = Console()
    warn_if_busy(console)
    try:
        with progress(console, plan.steps) as step:
            book = run(plan, step)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    console.print(table(book))
    if told.write:
        write(book)
    return 0
