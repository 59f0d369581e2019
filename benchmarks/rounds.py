"""The whole run: every contender on every engine, side by side, round after round."""

import fcntl
import os
import resource
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.children import BenchmarkError
from benchmarks.contenders import Contender, Engine
from benchmarks.load import SATURATING, WORKLOADS, Workload, direct_rate, measure
from benchmarks.server import Ground, Server, serving
from benchmarks.stats import Book
from benchmarks.streams import bytes_per_stream
from benchmarks.upstream import Upstream, upstream

MANY_FILES = 16384
LOCK = Path(tempfile.gettempdir()) / f"ailb-bench-{os.getuid()}.lock"

Step = Callable[[str], None]
"""Called with the name of what begins."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `seconds` of CPU time per workload and round."""

    contenders: Sequence[Contender]
    engines: Sequence[Engine]
    rounds: int
    seconds: float
    streams: int = 1000

    @property
    def steps(self) -> int:
        return self.rounds * (1 + len(self.engines) * len(self.contenders) * (1 + len(WORKLOADS)))


@contextmanager
def ground() -> Iterator[tuple[Ground, Upstream]]:
    """The upstream, running; everything is gone with the block. The server has a core for itself where there are two."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(MANY_FILES, most), most))
    cores = sorted(os.sched_getaffinity(0))
    core, load_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    with _alone(), tempfile.TemporaryDirectory(prefix="ailb-bench-") as name, upstream(Path(name), load_core) as provider:
        yield Ground(provider.url, Path(name), core, load_core), provider


@contextmanager
def _alone() -> Iterator[None]:
    """Two runs at once would measure each other."""
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchmarkError("another run is under way on this machine") from None
        yield


def run(plan: Plan, step: Step) -> Book:
    """All values: under an engine and a contender, or for what the upstream does alone under "none" and "direct"."""
    with ground() as (place, provider):
        return _Run(plan, step, place, provider).all_rounds()


class _Run:
    def __init__(self, plan: Plan, step: Step, place: Ground, provider: Upstream) -> None:
        self._plan = plan
        self._step = step
        self._ground = place
        self._upstream = provider
        self._book = Book()

    def all_rounds(self) -> Book:
        for number in range(self._plan.rounds):
            self._step(f"round {number + 1} of {self._plan.rounds}: the upstream alone")
            for workload in SATURATING:
                self._book.note("none", "direct", **{f"{workload.key}_rate": direct_rate(workload, self._upstream, self._ground)})
            for engine in self._plan.engines:
                self._round(engine, number)
        return self._book

    def _round(self, engine: Engine, number: int) -> None:
        """The order changes from round to round, so that none always follows the other."""
        contenders = self._plan.contenders[:: -1 if number % 2 else 1]
        where = f"round {number + 1} of {self._plan.rounds}, {engine}:"
        for contender in contenders:
            self._step(f"{where} {contender.name}, {self._plan.streams} open streams")
            self._weigh(contender, engine)
        with ExitStack() as stack:
            servers = [self._started(stack, contender, engine) for contender in contenders]
            for workload in WORKLOADS:
                for server in servers:
                    self._step(f"{where} {server.contender.name}, {workload.key}")
                    self._load(server, engine, workload)

    def _started(self, stack: ExitStack, contender: Contender, engine: Engine) -> Server:
        server = stack.enter_context(serving(contender, engine, self._ground))
        self._book.note(engine, contender.name, start=server.first_answer, idle=server.idle_bytes)
        return server

    def _weigh(self, contender: Contender, engine: Engine) -> None:
        with ExitStack() as stack:
            server = self._started(stack, contender, engine)
            self._book.note(engine, contender.name, stream=bytes_per_stream(server, self._plan.streams))

    def _load(self, server: Server, engine: Engine, workload: Workload) -> None:
        load = measure(server, workload, self._upstream, self._plan.seconds, self._ground)
        values = {f"{workload.key}_{name}": value for name, value in asdict(load).items()}
        self._book.note(engine, server.contender.name, **values)
