"""`python -m benchmarks.retrieval`: whether the passage that answers a question is found, and at which place.

Everything is as in a gateway: the store, Chroma in a process of its own, the local embedder, and the retriever that the layer `rag` asks.
XQuAD (Artetxe, Ruder and Yogatama, 2020) is no part of the repository.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.children import ROOT, BenchmarkError
from benchmarks.plot import bars
from benchmarks.retrieval_run import WAYS, Bench, Score
from benchmarks.retrieval_sets import LANGUAGES, SMALL, Set, folder, own, xquad

PAGE, PLOT = ROOT / "docs" / "rag.md", ROOT / "docs" / "rag.svg"
START, END = "<!-- found -->\n", "<!-- end of found -->\n"
QUICK = 20
SHARP = "XQuAD en, passages of 300 characters, with the answer"
BARS: dict[str, tuple[float, float, float]] = {
    "XQuAD en": (95.0, 97.0, 0.0),
    "XQuAD zh": (90.0, 0.0, 0.0),
    "XQuAD ar": (80.0, 0.0, 0.0),
    SHARP: (80.0, 0.0, 90.0),
}
"""What `both` should come to at least, as in `Score`; 0: whatever comes."""

Found = Mapping[str, Mapping[str, Score]]


def main(arguments: list[str] | None = None) -> int:
    told = parser().parse_args(arguments)
    console = Console()
    try:
        sets = chosen(folder(), told.quick)
    except BenchmarkError as problem:
        console.print(f"Only AILB's own pages are asked about: {problem}")
        sets = [own()]
    found = asyncio.run(measured(sets, console))
    sizes = {set.name: (len(set.questions), sum(len(chunks) for _, _, chunks in set.documents)) for set in sets}
    head, *rows = table(found, sizes)
    shown = Table(*head)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
    if told.write and len(sets) > 1:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), [head, *rows]), encoding="utf-8")
        PLOT.write_text(plotted(found), encoding="utf-8")
        console.print(f"written: {PAGE.relative_to(ROOT)} and {PLOT.relative_to(ROOT)}")
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.retrieval", description=__doc__)
    made.add_argument("--quick", action="store_true", help=f"English only, and one question of {QUICK}")
    made.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name} and docs/{PLOT.name}")
    return made


def chosen(folder: Path, quick: bool = False) -> list[Set]:
    if quick:
        return [own(), xquad(folder, "en").fewer(QUICK), xquad(folder, "en", SMALL, exact=True).fewer(QUICK)]
    small = [xquad(folder, "en", SMALL), xquad(folder, "en", SMALL, exact=True)]
    return [own(), *(xquad(folder, language) for language in LANGUAGES), *small]


async def measured(sets: Sequence[Set], console: Console) -> dict[str, dict[str, Score]]:
    with TemporaryDirectory() as folder, Progress(console=console, transient=True) as progress:
        async with Bench(Path(folder)) as bench:
            return {set.name: await bench.run(set) for set in progress.track(sets, description="asking")}


def table(found: Found, sizes: Mapping[str, tuple[int, int]]) -> list[list[str]]:
    """The head, and a row for each set. `sizes`: questions and passages of each."""
    rows = [["", "questions", "passages", *WAYS, "at least"]]
    for name, scores in found.items():
        cells = [said(scores[way].first, scores[way].mrr, scores[way].ndcg) for way in WAYS]
        rows.append([name, *(f"{size:,}" for size in sizes[name]), *cells, wanted(name, scores["both"])])
    return rows


def said(*numbers: float) -> str:
    return " / ".join(f"{number:.1f}" for number in numbers)


def wanted(name: str, score: Score) -> str:
    """And whether it is so."""
    if name not in BARS:
        return ""
    least = BARS[name]
    met = all(number >= bar for number, bar in zip((score.first, score.mrr, score.ndcg), least, strict=True))
    return " / ".join(f"{bar:g}" if bar else "–" for bar in least) + ("" if met else ", **missed**")


def written(page: str, rows: Sequence[Sequence[str]]) -> str:
    """The page with the measured part put in its place. Raises ValueError where it has no such place."""
    head, *others = (f"| {' | '.join(row)} |" for row in rows)
    lines = [head, "|---|---:|---:|---:|---:|---:|---:|", *others, "", f"![How often the first passage is the right one]({PLOT.name})"]
    return page[: page.index(START)] + START + "\n".join(lines) + "\n" + page[page.index(END) :]


def plotted(found: Found) -> str:
    groups = {name: {way: scores[way].first for way in WAYS} for name, scores in found.items()}
    return bars("How often the first passage is the right one", "percent", groups)


if __name__ == "__main__":
    sys.exit(main())
