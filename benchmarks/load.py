"""Load by wrk, and what it costs a server per request."""

import math
import re
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import procfs
from benchmarks.children import BenchmarkError, child, tail
from benchmarks.server import KEY, PATH, Ground, Server
from benchmarks.upstream import EVENTS, Upstream, request_body

SCRIPT = Path(__file__).with_name("load.lua")
FAULTS = ("status", "connect", "read", "write", "timeout")


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked, by how many connections at once, how long until they are out of step with each other, and how long each of them
    rests on average before it asks again, in milliseconds.
    """

    model: str
    connections: int
    warm_seconds: float = 0.5
    pause: int = 0

    @property
    def stream(self) -> bool:
        return self.model != "chat"

    @property
    def key(self) -> str:
        return f"{self.model}_{self.connections}" + (f"_{self.pause}" if self.pause else "")

    @property
    def units(self) -> int:
        """What the upstream counts for one request."""
        return EVENTS if self.stream else 1


CLOSED = (Workload("chat", 1), Workload("chat", 64), Workload("burst", 1), Workload("burst", 64))
"""Each connection asks again as soon as it is answered, so the server decides the rate."""

SATURATING = tuple(workload for workload in CLOSED if workload.connections > 1)

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
    with child(wrk(server.url, workload, length, server.key), ground.folder, log, ground.load_core) as process:
        time.sleep(workload.warm_seconds)
        began, units, cpu = time.monotonic(), upstream.units(), procfs.cpu_seconds(server.process.pid)
        time.sleep(seconds)
        took = time.monotonic() - began
        requests = (upstream.units() - units) / workload.units
        cpu = procfs.cpu_seconds(server.process.pid) - cpu
        process.wait(length + 10)
    result = parse_result(log.read_text())
    _check(server, workload, result, requests)
    return Load(cpu / requests, result["p50"] / 1e6, result["p99"] / 1e6, requests / took)


def direct_rate(workload: Workload, upstream: Upstream, ground: Ground) -> float:
    """Requests a second that the upstream and the generator reach with nothing between them."""
    log = ground.folder / f"wrk-direct-{workload.key}.log"
    with child(wrk(upstream.url + PATH, workload, 1), ground.folder, log, ground.load_core) as process:
        process.wait(10)
    result = parse_result(log.read_text())
    if not result:
        raise BenchmarkError(f"wrk does not reach the upstream:\n{tail(log)}")
    return result["requests"] / result["micros"] * 1e6


def wrk(url: str, workload: Workload, seconds: int, key: str = KEY) -> list[str]:
    body = request_body(workload.model, workload.stream).decode()
    amount = [f"-c{workload.connections}", f"-d{seconds}s"]
    return [
        "wrk",
        "-t1",
        *amount,
        "--timeout",
        "10s",
        "-s",
        str(SCRIPT),
        url,
        "--",
        body,
        key,
        *([str(workload.pause)] if workload.pause else []),
    ]


def parse_result(output: str) -> dict[str, int]:
    """The line that load.lua prints; nothing where wrk could not even begin."""
    for line in output.splitlines():
        if line.startswith("result "):
            return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}
    return {}


def _check(server: Server, workload: Workload, result: dict[str, int], requests: float) -> None:
    """Raises BenchmarkError when not every request was answered, or none."""
    faults = {name: result[name] for name in FAULTS if result.get(name)}
    if faults or not result or not requests:
        what = f"{server.contender.name} failed under {workload.key}: {faults or 'no answer'}"
        raise BenchmarkError(f"{what} (exit code {server.process.poll()})\n{tail(server.log)}")
