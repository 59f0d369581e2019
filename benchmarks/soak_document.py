"""The section of docs/benchmarks.md about the soaks, written from a run."""

from collections.abc import Sequence

from benchmarks.document import machine
from benchmarks.pages import PAGE, put
from benchmarks.plot import lines
from benchmarks.soak_report import MEGABYTE, MORE, Figure, Result, memory
from benchmarks.terminal import MARKS

CHART = PAGE.with_name("soak.svg")

TEXT = """\
## What stays behind

After very many requests a gateway should hold what it held before them. The soaks run against one gateway with every layer that counts
money (`access`, `auth`, `ratelimit`, `budget` with SQLite, `routing`). Of the streams, 30 % are left by their client, before the first byte
or in the middle, by FIN or by RST; and 10 % fail upstream.

{tables}

![Resident memory over the requests](soak.svg)

* **Memory** is resident. Its growth is from the first sample to the highest; for streams and whole answers it counts after a fifth of them,
  when what is made once has been made. The growth per 10,000 requests is by least squares.
* **Tasks, descriptors and sockets** are those before the first request and, at most a minute later, after the last one; {more} more are let
  pass. Tasks are told by [`benchmarks/tasks.py`](../benchmarks/tasks.py), which the soak adds to the gateway.
{shorter}* A **complaint** is a line in the log that no healthy server writes: a traceback, "Task was destroyed", "never retrieved".

Measured on {machine}.

```sh
make soak                            # all of it on both servers, half an hour or more
python -m benchmarks.soak --quick    # a twentieth of it; --part, --only, --engine
python -m benchmarks.soak --write    # and writes this section
```
"""

SHORTER = "* A run with fewer requests than the soak has is too short for its growth per 10,000 to be judged: it has no mark.\n"


def write(results: Sequence[Result]) -> None:
    put("soak", document(results))
    CHART.write_text(chart(results), encoding="utf-8")


def chart(results: Sequence[Result]) -> str:
    """The memory of each, as an SVG document."""
    series = {
        f"{result.soak.key}, {result.engine}": [
            (100 * sample.requests / result.requests, sample.resident / MEGABYTE) for sample in result.samples
        ]
        for result in results
    }
    return lines("Resident memory of the gateway", "% of the requests", "MB", series)


def document(results: Sequence[Result]) -> str:
    shorter = SHORTER if any(result.short for result in results) else ""
    return TEXT.format(tables="\n\n".join(map(_table, results)), more=MORE, shorter=shorter, machine=machine())


def _table(result: Result) -> str:
    lines = [
        f"| {result.requests:,} {result.soak.label}, {result.engine} | seen | may be |",
        "|---|---:|---:|",
        *map(_line, result.figures()),
        "",
        f"`{memory(result.samples)}`",
    ]
    return "\n".join(lines)


def _line(figure: Figure) -> str:
    return f"| {figure.label} | {figure.value} {MARKS[figure.passed]} | {figure.bar} |"
