"""What the comparison came to: CPU time of a request, and how many times as much LiteLLM takes as AILB with everything."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.table import Table
from rich.text import Text

from benchmarks.contenders import ENGINES, Engine
from benchmarks.document import machine
from benchmarks.litellm import VERSION
from benchmarks.stats import Book, Spread, ratios, spread
from benchmarks.terminal import COLOURS, MARKS

OWN: Final = "uvicorn"
"""Under which LiteLLM's figures are written down: that is its server, whatever AILB runs on."""

TIMES: Final = 20.0
NAMES: Final = ("floor", "ailb", "money", "litellm")
LABELS: Final = {"chat_1": "chat × 1", "chat_64": "chat × 64", "burst_1": "stream of 64 events"}

TEXT = """\
## Beside LiteLLM

What a request costs LiteLLM's plain proxy (no database, no keys, no callbacks, one model, one worker, telemetry off) and AILB: alone, and
with everything that counts money, asked with a virtual key that has a budget and limits, each request held and settled in SQLite. CPU time
of all processes of each, in front of the same upstream, in one run.

| | floor | AILB | AILB with money | LiteLLM | LiteLLM / AILB with money | bar |
|---|---:|---:|---:|---:|---:|---:|
{table}

Milliseconds of CPU a request; the median of {rounds} rounds, with the lowest and the highest ratio in brackets. LiteLLM {version}.
Measured on {machine}.

```sh
python -m benchmarks.others --write   # installs LiteLLM into ~/.cache/ailb-benchmarks the first time
```
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One workload on one engine. `costs` are seconds, as `NAMES` are in order."""

    label: str
    costs: tuple[Spread | None, ...]
    ratio: Spread | None

    @property
    def passed(self) -> bool | None:
        return None if self.ratio is None else self.ratio.middle >= TIMES

    def cells(self) -> list[str]:
        costs = ["–" if cost is None else f"{cost.middle * 1e3:.2f}" for cost in self.costs]
        ratio = "–" if self.ratio is None else f"{self.ratio.middle:.0f}× ({self.ratio.low:.0f}–{self.ratio.high:.0f})"
        return [*costs, ratio]


def lines(book: Book) -> Iterator[Line]:
    for engine in ENGINES:
        for key, label in LABELS.items():
            values = [book.values(_engine(name, engine), name, f"{key}_cpu") for name in NAMES]
            money, other = values[NAMES.index("money")], values[NAMES.index("litellm")]
            ratio = spread(ratios(other, money)) if money and other else None
            yield Line(f"{label}, {engine}", tuple(map(spread, values)), ratio)


def table(book: Book) -> Table:
    made = Table("", title="milliseconds of CPU a request")
    for name in ("floor", "AILB", "AILB with money", "LiteLLM", "LiteLLM / AILB with money", "bar"):
        made.add_column(name, justify="right")
    made.add_column("")
    for line in lines(book):
        made.add_row(line.label, *line.cells(), _bar(), Text(MARKS[line.passed], style=COLOURS[line.passed]))
    return made


def document(book: Book, rounds: int) -> str:
    rows = "\n".join(f"| {' | '.join([line.label, *line.cells()])} {MARKS[line.passed]} | {_bar()} |" for line in lines(book))
    return TEXT.format(table=rows, rounds=rounds, version=VERSION, machine=machine())


def _bar() -> str:
    return f"≥ {TIMES:g}×"


def _engine(name: str, engine: Engine) -> Engine:
    return OWN if name == "litellm" else engine
