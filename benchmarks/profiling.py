"""Where the time goes: a contender under load with cProfile in it."""

import pstats
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import BenchmarkError, child, tail
from benchmarks.contenders import Contender, Engine
from benchmarks.load import Workload, wrk
from benchmarks.rounds import ground
from benchmarks.server import serving

CONNECTIONS = 64
KINDS = {"chat": "chat", "stream": "paced", "burst": "burst"}
ENDING_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Profile:
    """What is profiled, for how long, and how many functions are told."""

    contender: Contender
    engine: Engine
    kind: str
    seconds: int
    lines: int


def profile(plan: Profile, orders: Sequence[str] = ("tottime", "cumulative")) -> None:
    """Prints the functions that took longest. What cProfile costs is in the numbers; their order is what counts."""
    workload = Workload(KINDS[plan.kind], CONNECTIONS)
    with ground() as (place, _):
        stats = place.folder / "profile"
        with serving(plan.contender, plan.engine, place, ["-m", "cProfile", "-o", str(stats)]) as server:
            log = place.folder / "wrk-profile.log"
            with child(wrk(server.url, workload, plan.seconds), place.folder, log, place.load_core) as load:
                load.wait(plan.seconds + 10)
            server.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                server.process.wait(ENDING_SECONDS)
        _print(stats, server.log, orders, plan.lines)


def _print(stats: Path, log: Path, orders: Sequence[str], lines: int) -> None:
    if not stats.exists():
        raise BenchmarkError(f"the server ended without a profile\n{tail(log)}")
    read = pstats.Stats(str(stats))
    for order in orders:
        read.sort_stats(order).print_stats(lines)
