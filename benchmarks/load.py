"""Load by wrk, and what it costs a server per request."""

import math
import re
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import procfs
from benchmarks.children import BenchmarkError, child, tail
from benchmarks.server import PATH, Ground, Server
from benchmarks.upstream import EVENTS, Upstream, request_body

SCRIPT = Path(__file__).with_name("load.lua")
FAULTS = ("status", "connect", "read", "write", "timeout")


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked, by how many connections at once, and how long until they are out of step with each other."""

    model: str
    connections: int
    warm_seconds: float = 0.5

    @property
    def stream(self) -> bool:
        return self.model != "chat"

    @property
    def key(self) -> str:
        return f"{self.model}_{self.connections}"

    @property
    def units(self) -> int:
        """What the upstream counts for one request."""
        return EVENTS if self.stream else 1


CLOSED = (Workload("chat", 1), Workload("chat", 64), Workload("burst", 1), Workload("burst", 64))
"""Each connection asks again as soon as it is answered, so the server decides the rate."""

PACED = Workload("paced", 64, warm_seconds=3.0)
"""The upstream decides the rate, well below what saturates: each event comes alone, as tokens do."""

WORKLOADS = (*CLOSED, PACED)


@dataclass(frozen=True, slots=True)
class Load:
    """Seconds of CPU per request, of latency; and requests a second."""

    cpu: float
    p50: float
    p99: float
    rate: float


def measure(server: Server, workload: Workload, upstream: Upstream, seconds: float, ground: Ground) -> Load:
    """The CPU time is taken over `seconds` in the middle of the load, when all connections are busy; the latencies over all of it."""
    log = ground.folder / f"wrk-{server.port}-{workload.key}.log"
    length = math.ceil(workload.warm_seconds + seconds + 0.2)
    with child(wrk(server.url, workload, length), ground.folder, log, ground.load_core) as process:
        time.sleep(workload.warm_seconds)
        began, units, cpu = time.monotonic(), upstream.units(), procfs.cpu_seconds(server.process.pid)
        time.sleep(seconds)
        took = time.monotonic() - began
        requests = (upstream.units() - units) / workload.units
        cpu = procfs.cpu_seconds(server.process.pid) - cpu
        process.wait(length + 10)
    p50, p99 = latencies(log, server)
    if not requests:
        raise BenchmarkError(f"{server.contender.name} answered nothing under {workload.key}\n{tail(server.log)}")
    return Load(cpu / requests, p50, p99, requests / took)


def direct_rate(workload: Workload, upstream: Upstream, ground: Ground) -> float:
    """Requests a second that the upstream and the generator reach with nothing between them."""
    log = ground.folder / f"wrk-direct-{workload.key}.log"
    with child(wrk(upstream.url + PATH, workload, 1), ground.folder, log, ground.load_core) as process:
        process.wait(10)
    result = parse_result(log.read_text())
    return result["requests"] / result["micros"] * 1e6


def wrk(url: str, workload: Workload, seconds: int) -> list[str]:
    body = request_body(workload.model, workload.stream).decode()
    amount = [f"-c{workload.connections}", f"-d{seconds}s"]
    return ["wrk", "-t1", *amount, "--timeout", "10s", "-s", str(SCRIPT), url, "--", body]


def latencies(log: Path, server: Server) -> tuple[float, float]:
    """The median and the 99th percentile. Raises BenchmarkError when not every answer was one."""
    result = parse_result(log.read_text())
    faults = {name: result[name] for name in FAULTS if result[name]}
    if faults:
        raise BenchmarkError(f"{server.contender.name} failed under load ({log.stem}): {faults}\n{tail(server.log)}")
    return result["p50"] / 1e6, result["p99"] / 1e6


def parse_result(output: str) -> dict[str, int]:
    """The line that load.lua prints. Raises BenchmarkError if it is not there."""
    for line in output.splitlines():
        if line.startswith("result "):
            return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}
    raise BenchmarkError(f"wrk gave no result:\n{output}")
