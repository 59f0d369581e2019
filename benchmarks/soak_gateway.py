"""The gateway of a soak: every layer with money, and a way to see what it holds."""

import re
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from benchmarks import procfs, tasks
from benchmarks.children import BenchmarkError
from benchmarks.contenders import FULL, Contender, Site, table
from benchmarks.server import Server

MUCH = 1_000_000_000
OPTIONS: dict[str, dict[str, object]] = {
    "ratelimit": {"requests_per_minute": MUCH, "tokens_per_minute": MUCH, "max_parallel": MUCH},
    "routing": {"open_after": MUCH},
}
"""Limits for everybody, so that all are counted. The breaker stays closed, or a tenth of failures would be answered by it alone."""

COMPLAINT = re.compile(rb"Traceback|Task was destroyed|never retrieved|never awaited|socket\.send\(\) raised|Exception in|Unclosed")
SETTLING_SECONDS = 60.0
LOOK_SECONDS = 0.5


def config(site: Site) -> str:
    url = f"sqlite+aiosqlite:///{site.folder}/soak-{site.port}.db"
    watched = [f"{tasks.__name__}:{tasks.Tasks.__name__}"]
    return "\n".join(
        (
            table("[server]", host="127.0.0.1", port=site.port, engine=site.engine, middleware=watched),
            table("[store]", url=url),
            *(table("[[layer]]", use=name, **OPTIONS.get(name, {})) for name in FULL),
            table("[[provider]]", name="soak", kind="openai", base_url=f"{site.upstream}/v1", api_key="sk-soak", models=["*"], local=True),
            table("[[price]]", model="*", input=2.5, output=10.0),
        )
    )


def _arguments(site: Site) -> list[str]:
    file = site.folder / f"soak-{site.port}.toml"
    file.write_text(config(site))
    return ["-m", "ailb", "serve", "--config", str(file)]


SOAKED = Contender("soaked", _arguments, start_seconds=120.0)


@dataclass(frozen=True, slots=True)
class Held:
    """What a gateway has open: all but the memory. `exchanges` are the requests that it is serving."""

    tasks: int
    descriptors: int
    sockets: int
    exchanges: int

    def within(self, other: "Held", more: int) -> bool:
        """Whether it is no more than the other one and `more` of each; of exchanges, no more at all."""
        mine = (self.tasks, self.descriptors, self.sockets)
        its = (other.tasks, other.descriptors, other.sockets)
        return self.exchanges <= other.exchanges and all(here <= there + more for here, there in zip(mine, its, strict=True))


def held(server: Server) -> Held:
    names = procfs.descriptors(server.process.pid)
    sockets = sum(name.startswith("socket:") for name in names)
    return Held(int(_page(server, tasks.PATH)), len(names), sockets, int(_sum(server, "ailb_open_exchanges")))


def settled(server: Server, before: Held, more: int) -> Held:
    """What it holds as soon as that is within `more` of what it held before, or after a minute what it then holds.

    The kernel is asked first and the gateway last: Hypercorn keeps a connection for seconds after its client left, ours too.
    """
    deadline = time.monotonic() + SETTLING_SECONDS
    while time.monotonic() < deadline:
        if len(procfs.descriptors(server.process.pid)) <= before.descriptors + more and (now := held(server)).within(before, more):
            return now
        time.sleep(LOOK_SECONDS)
    return held(server)


def served(server: Server) -> int:
    """Requests that were answered since its start, refused ones too."""
    return int(_sum(server, "ailb_requests_total"))


def complaints(log: Path) -> int:
    """Lines that no healthy server writes. The log is emptied: a soak's is larger than many disks. (What is written in between is lost.)"""
    with log.open("r+b") as file:
        found = sum(COMPLAINT.search(line) is not None for line in file)
        file.truncate(0)
    return found


def _sum(server: Server, name: str) -> float:
    """Over all labels of one metric."""
    lines = _page(server, "/metrics").splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}[ {{]", line))


def _page(server: Server, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError as failure:
        raise BenchmarkError(f"the gateway does not answer {path} (exit code {server.process.poll()}): {failure!r}") from failure
    finally:
        connection.close()
