"""docs/benchmarks.md, written from a run."""

import os
import platform
from importlib.metadata import version

from benchmarks.report import Row, amount, headroom, rows, times
from benchmarks.rounds import Plan
from benchmarks.stats import Book
from benchmarks.upstream import EVENTS, PAUSE_SECONDS

LIBRARIES = ("hypercorn", "uvicorn", "uvloop", "httptools", "aiohttp")

TEXT = """\
# What a request costs

AILB against the floor: the least that an honest proxy with the same server and the same HTTP client, used as its documentation shows, can
do ([`benchmarks/floor.py`](../benchmarks/floor.py)). It knows nothing of LLMs. Both run side by side, in turns, on the same machine, in
front of the same upstream. Time is told as a ratio, because seconds on one machine say little about another.

| | {engines} | bar |
|---|{columns}---:|
{table}

Measured on {machine}.

* A ratio is the median of {rounds} rounds, with the lowest and the highest round in brackets. `× 64` is 64 connections at once.
* The floor asks the upstream through aiohttp's session. AILB uses aiohttp's connections and parser without it
  ([`providers/transport_client.py`](../providers/transport_client.py)): what it saves there pays for a part of what its layers cost.
  A floor that did the same would take half as long for a chat × 64 on uvicorn, four fifths on Hypercorn, and as long for a paced stream.
* **CPU** is user and system time of the server's processes, divided by the requests that they answered.
* **Paced stream**: {events} events, {pause:g} ms apart, so each comes alone and the server is far from busy. This is how tokens come.
* **Burst stream**: {events} events as fast as the upstream can send them. The floor forwards many at once, unread; AILB reads each one.
* **p50 and p99** are of whole answers, with every connection asking again at once: at 64 connections the server is saturated, and its
  latency is its throughput upside down.
* **Memory** is resident. An open stream's share is what 1,000 streams add that are open and silent after their first event.
* **Start** is from the birth of the process to the end of its first chat answer, with modules compiled as an installation leaves them.
{headroom}
Every round starts both servers afresh. AILB runs the layers `access` and `routing` in front of one provider, and logs to a file. A server
that changes an answer, loses an event or fails one request is not measured: the run stops and says so.

## Repeat it

```sh
apt-get install nginx libnginx-mod-http-lua wrk   # the provider, and the clients
make bench                                        # some ten minutes; the numbers themselves, too
python -m benchmarks --quick                      # some four minutes, less exact
python -m benchmarks --write                      # and writes this page
python -m benchmarks profile chat                 # where the time goes; or `stream`, `burst`; `--engine hypercorn`; `--of floor`
```
"""
HEADROOM = "* The upstream and the load generator alone answer at least {:.1f} times as many requests as the fastest server here.\n"


def document(book: Book, plan: Plan) -> str:
    spare = headroom(book)
    return TEXT.format(
        engines=" | ".join(plan.engines),
        columns="---:|" * len(plan.engines),
        table="\n".join(_line(list(lines)) for lines in zip(*(rows(book, engine) for engine in plan.engines), strict=True)),
        rounds=plan.rounds,
        events=EVENTS,
        pause=PAUSE_SECONDS * 1000,
        headroom="" if spare is None else HEADROOM.format(spare),
        machine=machine(),
    )


def machine() -> str:
    """In general terms."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB of memory, {platform.system()}, {python}, {libraries}"


def _line(lines: list[Row]) -> str:
    measure = lines[0].measure
    return f"| {measure.label} | {' | '.join(map(_cell, lines))} | {measure.bar_text} |"


def _cell(row: Row) -> str:
    unit = row.measure.unit
    told = times(row.ratio) if row.measure.bar_for == "ratio" else f"{amount(row.ailb, unit)} (floor {amount(row.floor, unit)})"
    return f"{told} {row.mark}".strip()
