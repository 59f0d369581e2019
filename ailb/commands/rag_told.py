"""Collections, documents, passages and progress, for people."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ailb.commands.rag_ingest import Sums

SHOWN: Final = 400
"""Characters of a passage."""


class Bar:
    """On the standard error, if that is a terminal; gone when it is done."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("reading", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def begin(self, files: int) -> None:
        self._progress.update(self._task, total=files)

    def step(self, sums: Sums) -> None:
        self._progress.update(self._task, advance=1, description=f"{sums.passages:,} passages")


def summary(sums: Sums) -> None:
    out = _console()
    counts = {
        "taken in": sums.taken,
        "unchanged": sums.unchanged,
        "removed": sums.removed,
        "not readable": len(sums.problems),
        "of other kinds left out": sums.others,
    }
    out.print(", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "nothing to do")
    for problem in sorted(sums.problems, key=lambda problem: problem.name):
        out.print(problem.message)


def collections(found: Sequence[Mapping[str, Any]]) -> None:
    table = Table("collection", "shared", "documents", "passages", "embedder")
    for one in found:
        table.add_row(
            one["name"], "yes" if one["shared"] else "", f"{one['documents']:,}", f"{one['chunks']:,}", one["embedder"] or "words only"
        )
    _console().print(table)


def documents(found: Sequence[Mapping[str, Any]]) -> None:
    table = Table("document", "title", "passages", "bytes", "since")
    for one in found:
        table.add_row(one["id"], one["title"], f"{one['chunks']:,}", f"{one['bytes']:,}", one["updated_at"])
    _console().print(table)


def passages(found: Sequence[Mapping[str, Any]], degraded: str | None = None) -> None:
    """`degraded`: why it was by words only, where it should not have been."""
    out = _console()
    for number, one in enumerate(found, 1):
        page = f", page {one['page']}" if one["page"] else ""
        heading = f": {one['heading']}" if one["heading"] else ""
        text = " ".join(one["text"].split())
        out.print(f"{number}. {one['document']}{page}{heading} ({one['score']:.3f})")
        out.print(f"   {text[:SHOWN]}{'...' if len(text) > SHOWN else ''}")
    if not found:
        out.print("nothing found")
    if degraded:
        out.print(f"by words only: {degraded}")


def _console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)
