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

AILB against the floor: the smallest proxy that the same server and the same HTTP client allow
([`benchmarks/floor.py`](../benchmarks/floor.py)), which knows nothing of LLMs. Both run side by side, in turns, on the same machine, in
front of the same upstream. Everything is a ratio, as seconds on one machine say little about another; memory and start are as they are.

| | {engines} | bar |
|---|{columns}---:|
{table}

A ratio is the median of {rounds} rounds, with the lowest and the highest round behind it. CPU is user and system time of the server's
process divided by the requests that it answered. "Events one by one": {events} events to a stream, {pause:g} ms apart, 64 streams at once, the
server far from saturated; this is how tokens come, and what the bar is for. "All at once": the upstream sends the whole stream as fast as
it can, so the floor forwards many events in one piece without looking at them, and AILB reads every one. Latency is of the whole answer,
all connections asking without pause, so at 64 connections it is the reciprocal of the throughput.{headroom}

Measured on {machine}.

## Repeat it

```sh
apt-get install nginx libnginx-mod-http-lua wrk
make bench                                # some ten minutes; prints the seconds, too
python -m benchmarks --quick              # some three minutes, less exact
python -m benchmarks --write              # and writes this page
python -m benchmarks profile chat         # where the time goes: also `stream` and `burst`, `--engine`, `--of`
```

nginx plays the provider, wrk the clients, both on a core of their own where there are two. The server is started afresh every round, with
the `access` and `routing` layers and one provider. A contender that loses or changes part of an answer, or fails one request, is not
measured at all: the run stops and says so.
"""


def document(book: Book, plan: Plan) -> str:
    spare = headroom(book)
    return TEXT.format(
        engines=" | ".join(plan.engines),
        columns="---:|" * len(plan.engines),
        table="\n".join(_line(list(lines)) for lines in zip(*(rows(book, engine) for engine in plan.engines), strict=True)),
        rounds=plan.rounds,
        events=EVENTS,
        pause=PAUSE_SECONDS * 1000,
        headroom=""
        if spare is None
        else f" The upstream and the load generator\nalone are at least {spare:.1f} times as fast as the fastest server here.",
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
