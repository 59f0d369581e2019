"""`python -m benchmarks`: what a request costs, side by side with the least that it can cost."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.children import ROOT, BenchmarkError, leave_when_told
from benchmarks.contenders import CONTENDERS, ENGINES
from benchmarks.document import document
from benchmarks.pages import PAGE, put
from benchmarks.profiling import KINDS, Profile, profile
from benchmarks.rounds import Plan, run
from benchmarks.terminal import progress, show, warn_if_busy


def main(arguments: list[str] | None = None) -> int:
    leave_when_told()
    told = parser().parse_args(arguments)
    try:
        if told.mode == "profile":
            profile(Profile(CONTENDERS[told.of], told.engine, told.kind, told.seconds, told.lines))
        else:
            _bench(plan(told), PAGE if told.write else None)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    made.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    made.add_argument("--only", choices=list(CONTENDERS), help="measure one contender, so no ratios")
    made.add_argument("--engine", choices=ENGINES, help="measure on one server")
    modes = made.add_subparsers(dest="mode")
    where = modes.add_parser("profile", help="print where the time goes")
    where.add_argument("kind", choices=list(KINDS))
    where.add_argument("--engine", choices=ENGINES, default="uvicorn")
    where.add_argument("--of", choices=list(CONTENDERS), default="ailb")
    where.add_argument("--seconds", type=int, default=8)
    where.add_argument("--lines", type=int, default=30)
    return made


def plan(told: argparse.Namespace) -> Plan:
    contenders = tuple(contender for name, contender in CONTENDERS.items() if told.only in (None, name))
    engines = tuple(engine for engine in ENGINES if told.engine in (None, engine))
    return Plan(contenders, engines, rounds=2, seconds=2.0) if told.quick else Plan(contenders, engines, rounds=5, seconds=3.0)


def _bench(planned: Plan, page: Path | None) -> None:
    console = Console()
    warn_if_busy(console)
    with progress(console, planned.steps) as step:
        book = run(planned, step)
    show(console, book, planned.engines)
    if page is not None:
        put("floor", document(book, planned), page)
        console.print(f"written: {page.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
