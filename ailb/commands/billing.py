"""`ailb billing`: the ledger into a file, corrections into the ledger, and old rows out of the database."""

import asyncio
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ailb.commands import takes_config

HELP: Final = "export the ledger, correct a row of it, or delete old ones"


def arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True)
    export = commands.add_parser("export", help="write the ledger's rows into a file")
    takes_config(export)
    export.add_argument("--csv", type=Path, required=True, metavar="FILE", help="is replaced once all rows are there")
    export.add_argument("--from", dest="start", default="", metavar="DATE", help="default: the first row")
    export.add_argument("--to", dest="end", default="", metavar="DATE", help="the last day; default: now")
    correct = commands.add_parser("correct", help="write down that a row should have cost something else")
    takes_config(correct)
    correct.add_argument("entry", type=int, metavar="ENTRY_ID", help="as in /api/billing/usage")
    correct.add_argument("--cost", required=True, metavar="DOLLARS", help="what it comes to with the correction, such as 0.0125")
    correct.add_argument("--reason", metavar="TEXT", help="is kept with the correction")
    prune = commands.add_parser("prune", help="delete exported rows; their sums by day stay")
    takes_config(prune)
    prune.add_argument("--before", required=True, metavar="DATE", help="the first day that is kept; the current month always is")


def run(options: Namespace, environ: Mapping[str, str]) -> int:
    """1 for a request that makes no sense, a store that is down, or a file that cannot be written. Raises ConfigError."""
    from ailb.config import read
    from ailb.errors import Refusal

    config = read(options.config, environ)
    work = {"export": _export, "correct": _correct, "prune": _prune}[options.action]
    try:
        asyncio.run(work(config.store.url, options))
    except Refusal as refusal:
        return _fail(refusal.message)
    except OSError as problem:
        return _fail(f"{problem.filename}: {problem.strerror}")
    return 0


def _fail(problem: str) -> int:
    sys.stderr.write(f"ailb: {problem}\n")
    return 1


async def _export(url: Any, options: Namespace) -> None:
    """Rows in the order of the API, newest first. Without `--from` it is remembered up to where rows may be pruned."""
    from ailb.admin import when
    from ailb.admin.ledger_rows import as_csv
    from ailb.clock import Clock
    from ailb.errors import BadRequest
    from ailb.store import prune as pruning
    from ailb.store.database import Database
    from ailb.store.spend import DAY, Span, Spend

    async with Database(url, Clock()) as database:
        await database.prepare()
        now = database.micros()
        start = when.moment(options.start, "--from") if options.start else 0
        end = min(now, when.moment(options.end, "--to", end=True) if options.end else now)
        if options.start and start >= end:
            raise BadRequest("--from is after --to")
        last = await pruning.newest(database)
        total = await pruning.count(database, start, end)
        rows = _shown(Spend(database).stream(Span(start, end)), total)
        part = options.csv.with_name(f"{options.csv.name}.part")
        with part.open("w", encoding="utf-8", newline="") as file:
            async for text in as_csv(rows):
                file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(options.csv)
        if not start:
            await pruning.exported(database, min(end, now - DAY), last)  # what ran a moment ago may still be written down
    sys.stdout.write(f"{total} rows written to {options.csv}\n")


async def _correct(url: Any, options: Namespace) -> None:
    """Raises BadRequest, NotFound, Conflict."""
    from ailb import money
    from ailb.clock import Clock
    from ailb.errors import BadRequest
    from ailb.store.corrections import correct
    from ailb.store.database import Database

    try:
        nanos = money.nanos(options.cost)
    except ValueError as problem:
        raise BadRequest(f"--cost {problem}") from None
    async with Database(url, Clock()) as database:
        await database.prepare()
        made = await correct(database, options.entry, nanos, options.reason)
    cost = f"row {options.entry} costs {money.text(nanos)} dollars"
    if made.id is None:
        sys.stdout.write(f"{cost} already; nothing was written\n")
    else:
        sys.stdout.write(f"{cost} with row {made.id}, which is {money.text(made.nanos)}\n")


async def _prune(url: Any, options: Namespace) -> None:
    """Raises BadRequest, Conflict."""
    from ailb.admin import when
    from ailb.clock import Clock
    from ailb.errors import BadRequest
    from ailb.store import prune as pruning
    from ailb.store.database import Database
    from ailb.store.spend import DAY

    async with Database(url, Clock()) as database:
        await database.prepare()
        before = when.moment(options.before, "--before")
        if before % DAY:
            raise BadRequest("--before must be a date such as 2026-01-01")
        month = datetime.fromtimestamp(database.micros() // 1_000_000, UTC).strftime("%Y-%m-01")
        if before > when.moment(month, "--before"):
            raise BadRequest(f"--before must not be after {month}: the current month is kept")
        gone = 0
        with _progress() as progress:
            task = progress.add_task("pruned", total=await pruning.count(database, 0, before))
            while number := await pruning.prune(database, before):
                gone += number
                progress.update(task, completed=gone)
    sys.stdout.write(f"{gone} rows deleted; their sums by day are kept\n")


async def _shown(rows: AsyncIterator[Any], total: int) -> AsyncIterator[Any]:
    """The rows, with a bar that says how far it is."""
    with _progress() as progress:
        task = progress.add_task("exported", total=total)
        async for row in rows:
            progress.advance(task)
            yield row


def _progress() -> Any:
    """On stderr, so that stdout says only what came of it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
