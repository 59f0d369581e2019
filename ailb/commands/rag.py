"""`ailb rag`: documents into a running gateway's collections, and what is in them."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ailb.commands.rag_gateway import Gateway

HELP: Final = "take documents into a collection, list, search and delete them"
KEY: Final = "AILB_ADMIN_KEY"
URL: Final = "http://127.0.0.1:8080"


def arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True)
    ingest = commands.add_parser("ingest", help="take in files and folders; what has not changed is left alone")
    ingest.add_argument("collection", metavar="COLLECTION", help="is made where it is not there")
    ingest.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="text, Markdown, HTML or PDF, or a folder of them")
    ingest.add_argument("--shared", action="store_true", help="everybody's, as far as their keys allow it")
    ingest.add_argument("--keep", action="store_true", help="keep what is no more in a folder")
    ingest.add_argument("--jobs", type=_count, default=1, metavar="N", help="processes that read and embed; default: 1")
    ingest.add_argument("--model-path", metavar="FOLDER", help="as embed.model_path of the gateway")
    for what, default in (("bytes", 20 << 20), ("pages", 2000), ("chunks", 20_000)):
        ingest.add_argument(f"--max-{what}", type=_count, default=default, metavar="N", help=f"of one file; default: {default}")
    listed = commands.add_parser("list", help="the collections, or the documents of one")
    listed.add_argument("collection", nargs="?", metavar="COLLECTION")
    search = commands.add_parser("search", help="the passages that belong to a question")
    search.add_argument("collection", metavar="COLLECTION")
    search.add_argument("question", metavar="QUESTION")
    search.add_argument("--top", type=_count, default=5, metavar="N", help="at most so many; default: 5")
    delete = commands.add_parser("delete", help="delete a collection, or a document of it")
    delete.add_argument("collection", metavar="COLLECTION")
    delete.add_argument("document", nargs="?", metavar="DOCUMENT")
    for command in (ingest, listed, search, delete):
        command.add_argument("--url", default=URL, help=f"the gateway, with its auth.admin_key, or a virtual key, in {KEY}; default: {URL}")
        command.add_argument("--user", default="", help="whose collections, where the key does not say")


def run(options: Namespace, environ: Mapping[str, str]) -> int:
    """1 where a file cannot be taken in, or the gateway does not do it. Raises ConfigError where a package is missing."""
    from ailb.commands.rag_gateway import Gateway
    from ailb.errors import Refusal

    work = {"ingest": _ingest, "list": _list, "search": _search, "delete": _delete}[options.action]
    try:
        return work(Gateway(options.url, key=environ.get(KEY, ""), user=options.user), options)
    except Refusal as refusal:
        return _fail(refusal.message)
    except KeyboardInterrupt:
        return _fail("stopped; what is taken in stays, and the same command goes on with the rest")


def _ingest(gateway: "Gateway", options: Namespace) -> int:
    from ailb.commands.rag_ingest import How, ingest
    from ailb.commands.rag_told import Bar, summary
    from ailb.errors import ConfigError
    from ailb.ingest.limits import Limits
    from ailb.ingest.needed import lacking

    if problem := lacking():
        raise ConfigError("", problem)
    limits = Limits(bytes=options.max_bytes, pages=options.max_pages, chunks=options.max_chunks)
    how = How(options.shared, options.keep, options.jobs, options.model_path, limits)
    with Bar() as bar:
        sums = asyncio.run(ingest(gateway, options.collection, options.paths, how, bar))
    summary(sums)
    return 1 if sums.problems else 0


def _list(gateway: "Gateway", options: Namespace) -> int:
    from ailb.commands import rag_told
    from ailb.commands.rag_gateway import COLLECTIONS, documents

    if options.collection is None:
        rag_told.collections(gateway.all(COLLECTIONS, "collections"))
    else:
        rag_told.documents(gateway.all(documents(options.collection), "documents"))
    return 0


def _search(gateway: "Gateway", options: Namespace) -> int:
    from ailb.commands import rag_told
    from ailb.commands.rag_gateway import collection

    body: dict[str, Any] = {"query": options.question, "top_k": options.top}
    said = gateway.ask("POST", f"{collection(options.collection)}/search", body)
    rag_told.passages(said["passages"], said.get("degraded"))
    return 0


def _delete(gateway: "Gateway", options: Namespace) -> int:
    from urllib.parse import quote

    from ailb.commands.rag_gateway import collection, documents

    name = options.collection
    gateway.ask("DELETE", f"{documents(name)}?id={quote(options.document, safe='')}" if options.document else collection(name))
    return 0


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 1 << 40:
        raise ValueError
    return count


def _fail(problem: str) -> int:
    sys.stderr.write(f"ailb: {problem}\n")
    return 1
