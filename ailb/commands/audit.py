"""`ailb audit`: proves that the books balance."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from ailb.commands import takes_config

if TYPE_CHECKING:
    from ailb.secret import Secret
    from ailb.store.audit import Check
    from ailb.store.database import Database

T = TypeVar("T")
HELP: Final = "prove that ledger, sums, budgets and holds agree"
KEY: Final = "AILB_ADMIN_KEY"


def arguments(parser: ArgumentParser) -> None:
    takes_config(parser)
    asks = f"also ask this gateway what it says, with its auth.admin_key in {KEY}; its metrics begin when it started"
    parser.add_argument("--url", default="", help=asks)


def run(options: Namespace, environ: Mapping[str, str]) -> int:
    """0: everything agrees. 1: there is a difference, or something cannot be asked. Raises ConfigError."""
    from ailb.commands.audit_gateway import Asked, compare
    from ailb.config import read
    from ailb.errors import Refusal
    from ailb.store.audit import audit
    from ailb.store.audit_paid import paid

    url = read(options.config, environ).store.url
    try:
        found = _asked(url, audit)
        if options.url:
            gateway = Asked(options.url, environ.get(KEY, ""))
            found += compare(lambda: _asked(url, partial(paid, by_user=not gateway.everything)), gateway)
    except Refusal as refusal:
        sys.stderr.write(f"ailb: {refusal.message}\n")
        return 1
    _tell(found)
    return 1 if any(check.wrong for check in found) else 0


def _asked(url: "Secret", question: Callable[["Database"], Awaitable[T]]) -> T:
    """Raises ConfigError, Unavailable."""
    from ailb.clock import Clock
    from ailb.store.database import Database

    async def work() -> T:
        async with Database(url, Clock()) as database:
            await database.prepare()
            return await question(database)

    return asyncio.run(work())


def _tell(found: "list[Check]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("compared", "times", "differences")
    for check in found:
        table.add_row(check.name, f"{check.compared:,}", f"{check.wrong:,}" if check.wrong else "none")
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    for check in found:
        for difference in check.differences:
            console.print(f"{check.name}: {difference}")
        if check.wrong > len(check.differences):
            console.print(f"{check.name}: and {check.wrong - len(check.differences):,} more")
