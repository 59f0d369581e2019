"""The section of docs/benchmarks.md about the soaks, written from a run."""

from collections.abc import Sequence

from benchmarks.soak_report import MORE, Figure, Result, memory
from benchmarks.terminal import MARKS

TEXT = """\
## What stays behind

After very many requests a gateway should hold what it held before them. The soaks run against one gateway with every layer that counts
money (`access`, `auth`, `ratelimit`, `budget` with SQLite, `routing`). Of the streams, 30 % are left by their client, before the first byte
or in the middle, by FIN or by RST; and 10 % fail upstream.

{tables}

* **Memory** is resident. Its growth is from the first sample to the highest; for streams and whole answers it counts after a fifth of them,
  when what is made once has been made. The growth per 10,000 requests is by least squares.
* **Tasks, descriptors and sockets** are those before the first request and, at most a minute later, after the last one; {more} more are let
  pass. Tasks are told by [`benchmarks/tasks.py`](../benchmarks/tasks.py), which the soak adds to the gateway.
* A **complaint** is a line in the log that no healthy server writes: a traceback, "Task was destroyed", "never retrieved".

```sh
make soak                            # an hour or so
python -m benchmarks.soak --quick    # a twentieth of it; --only, --engine
```
"""


def document(results: Sequence[Result]) -> str:
    return TEXT.format(tables="\n\n".join(map(_table, results)), more=MORE)


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
