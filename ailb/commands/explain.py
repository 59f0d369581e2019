"""`ailb explain`: what would become of a request at a running gateway, and why, without making it."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Final

HELP: Final = "tell what would become of a request, and why, without making it"
KEY: Final = "AILB_ADMIN_KEY"
URL: Final = "http://127.0.0.1:8080"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("request", metavar="FILE", help="the body of a chat completion, as JSON; - for the standard input")
    parser.add_argument("--url", default=URL, help=f"the gateway, with its auth.admin_key, or a virtual key, in {KEY}; default: {URL}")
    parser.add_argument("--user", default="", help="whose request it would be, where the key does not say")
    parser.add_argument("--json", action="store_true", help="the record as JSON, as /api/routing/explain answers it")


def run(options: Namespace, environ: Mapping[str, str]) -> int:
    """0: it would be made. 1: it would be refused, or the gateway or the file cannot be asked."""
    import orjson

    from ailb.commands.explain_asked import asked
    from ailb.commands.explain_told import tell
    from ailb.errors import Refusal

    try:
        body = sys.stdin.buffer.read() if options.request == "-" else Path(options.request).read_bytes()
        answer = asked(options.url, body, key=environ.get(KEY, ""), user=options.user)
    except OSError as problem:
        return _fail(f"{options.request}: {problem.strerror}")
    except Refusal as refusal:
        return _fail(refusal.message)
    record = orjson.loads(answer)
    if options.json:
        sys.stdout.write(answer.decode() + "\n")
    else:
        tell(record)
    return 1 if record["would"] == "refuse" else 0


def _fail(problem: str) -> int:
    sys.stderr.write(f"ailb: {problem}\n")
    return 1
