"""The command line. Each command is a module of `ailb.commands`."""

import argparse
import errno
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from ailb import __version__
from ailb.commands import admin_key, audit, billing, check, explain, keys, rag, serve
from ailb.errors import ConfigError


class _Command(Protocol):
    """A module of `ailb.commands`."""

    @property
    def HELP(self) -> str: ...
    def arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, options: argparse.Namespace, environ: Mapping[str, str]) -> int: ...


_COMMANDS: Final[Mapping[str, _Command]] = {
    "serve": serve,
    "check": check,
    "keys": keys,
    "admin-key": admin_key,
    "billing": billing,
    "audit": audit,
    "explain": explain,
    "rag": rag,
}
_NO_PORT: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Returns the exit status: the command's own; 1 where the port cannot be had; 2 for a configuration that cannot be served."""
    options = _parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command].run(options, environ)
    except ConfigError as problem:
        return _fail(str(problem), 2)
    except OSError as problem:
        if problem.errno not in _NO_PORT:
            raise
        return _fail(problem.strerror or str(problem), 1)


def _fail(problem: str, status: int) -> int:
    """One line, whatever the file has put into it."""
    sys.stderr.write(f"ailb: {' '.join(problem.split())}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ailb", description="An AI load balancer: one OpenAI-compatible address for every LLM provider.")
    parser.add_argument("--version", action="version", version=f"ailb {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in _COMMANDS.items():
        module.arguments(commands.add_parser(name, help=module.HELP, description=module.HELP))
    return parser


if __name__ == "__main__":
    sys.exit(main())
