"""`ailb keys`: virtual keys from the command line, straight in the database. A gateway that runs sees a change within two seconds."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from ailb.commands import takes_config

if TYPE_CHECKING:
    from ailb.store.keys import KeyStore
    from ailb.store.keys_rows import Record

HELP: Final = "make, list, revoke and rotate virtual keys"
PAGE: Final = 1000
UNTERMINAL_WIDTH: Final = 200
"""Columns of a table that goes into a file or a pipe."""

_TERMS: Final[Mapping[str, tuple[str, type, str]]] = {
    "dollars": ("monthly_quota_dollars", float, "spend at most so much a month"),
    "tokens": ("monthly_quota_tokens", int, "use at most so many tokens a month"),
    "rpm": ("rate_limit_rpm", int, "requests a minute"),
    "tpm": ("rate_limit_tpm", int, "tokens a minute"),
    "max-parallel": ("max_parallel", int, "requests at once"),
    "expires": ("expires_at", str, "such as 2026-12-31 or 2026-12-31T12:00:00Z"),
}


def arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="make a key; its secret is printed once, and kept nowhere")
    create.add_argument("--name", required=True)
    create.add_argument("--user", metavar="ID", help="whose key it is; default: anonymous")
    for option, (member, kind, text) in _TERMS.items():
        create.add_argument(f"--{option}", dest=member, type=kind, metavar="TIME" if kind is str else "N", help=text)
    create.add_argument("--model", dest="allowed_models", action="append", metavar="PATTERN", help="may stand several times; default: all")
    create.add_argument("--collection", dest="allowed_collections", action="append", metavar="NAME", help="as --model")
    listing = actions.add_parser("list", help="show the keys, the newest first")
    listing.add_argument("--user", metavar="ID", help="only this user's")
    listing.add_argument("--status", choices=("active", "revoked", "expired"))
    revoke = actions.add_parser("revoke", help="end a key")
    rotate = actions.add_parser("rotate", help="give a key a new secret")
    rotate.add_argument("--grace", type=int, default=0, metavar="SECONDS", help="how long the old secret stays good; default: 0")
    for action in (revoke, rotate):
        action.add_argument("id")
    for action in (create, listing, revoke, rotate):
        takes_config(action)


def run(options: Namespace, environ: Mapping[str, str]) -> int:
    """1 for what the store or its rules refuse. Raises ConfigError."""
    from ailb.config import read
    from ailb.errors import Refusal

    url = read(options.config, environ).store.url
    work = {"create": _create, "list": _list, "revoke": _revoke, "rotate": _rotate}[options.action]

    async def working() -> None:
        async with _opened(url) as keys:
            await work(keys, options)

    try:
        asyncio.run(working())
    except Refusal as refusal:
        sys.stderr.write(f"ailb: {refusal.message}\n")
        return 1
    return 0


@asynccontextmanager
async def _opened(url: Any) -> "AsyncIterator[KeyStore]":
    from ailb.clock import Clock
    from ailb.store.database import Database
    from ailb.store.keys import KeyStore

    async with Database(url, Clock()) as database:
        await database.prepare()
        yield KeyStore(database, Clock())


async def _create(keys: "KeyStore", options: Namespace) -> None:
    """The same rules as in the API. Raises BadRequest."""
    from ailb.admin.bodies import checked
    from ailb.admin.keys import Create
    from ailb.identity import ANONYMOUS

    members = [member for member, _, _ in _TERMS.values()] + ["allowed_models", "allowed_collections"]
    given = {member: value for member in members if (value := getattr(options, member)) is not None}
    body = checked({"name": options.name, **given, **({} if options.user is None else {"user_id": options.user})}, Create)
    secret, record = await keys.create(body.user_id or ANONYMOUS, body.given())
    _show(secret, record)


async def _list(keys: "KeyStore", options: Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from ailb.admin.keys import data
    from ailb.identity import user_id

    user = None if options.user is None else user_id(options.user, "--user")
    table = Table("id", "user", "name", "prefix", "status", "created", "last used", "dollars", "tokens", "rpm", "tpm")
    table.columns[0].no_wrap = True
    while records := (await keys.page(user, status=options.status, limit=PAGE, offset=table.row_count))[0]:
        for record in records:
            table.add_row(*_cells(record, data(record)))
    Console(markup=False, width=None if sys.stdout.isatty() else UNTERMINAL_WIDTH).print(table)


async def _revoke(keys: "KeyStore", options: Namespace) -> None:
    await keys.revoke(options.id)
    sys.stderr.write(f"{options.id} is revoked\n")


async def _rotate(keys: "KeyStore", options: Namespace) -> None:
    from ailb.admin.bodies import checked
    from ailb.admin.keys import Rotate

    grace = checked({"grace_seconds": options.grace}, Rotate).grace_seconds
    _show(*await keys.rotate(options.id, grace))


def _show(secret: str, record: "Record") -> None:
    """The secret alone on stdout, so that a script can take it."""
    sys.stderr.write(f"{record.id} of {record.user}; its secret will not be shown again:\n")
    sys.stdout.write(f"{secret}\n")


def _cells(record: "Record", data: Mapping[str, Any]) -> list[str]:
    from ailb import money

    dollars = None if record.quota_nanos is None else money.text(record.quota_nanos)
    names = ("id", "user_id", "name", "prefix", "status", "created_at", "last_used")
    limits = (record.quota_tokens, record.rate_limit_rpm, record.rate_limit_tpm)
    return ["" if value is None else str(value) for value in (*(data[name] for name in names), dollars, *limits)]
