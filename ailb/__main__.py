"""The command line: `ailb serve`, `ailb check`."""

import argparse
import errno
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ailb import __version__
from ailb.errors import ConfigError

_NO_PORT: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Returns the exit status: 0; 1 where the port cannot be had; 2 for a configuration that cannot be served."""
    options = _parser().parse_args(arguments)
    try:
        _COMMANDS[options.command](options.config, environ)
    except ConfigError as problem:
        return _fail(str(problem), 2)
    except OSError as problem:
        if problem.errno not in _NO_PORT:
            raise
        return _fail(problem.strerror or str(problem), 1)
    return 0


def _serve(path: Path, environ: Mapping[str, str]) -> None:
    from ailb.server import serve

    serve(path, environ)


def _check(path: Path, environ: Mapping[str, str]) -> None:
    from ailb.check import report

    sys.stdout.write(report(path, environ))


_COMMANDS: Final = {"serve": _serve, "check": _check}


def _fail(problem: str, status: int) -> int:
    """One line, whatever the file has put into it."""
    sys.stderr.write(f"ailb: {' '.join(problem.split())}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ailb", description="An AI load balancer: one OpenAI-compatible address for every LLM provider.")
    parser.add_argument("--version", action="version", version=f"ailb {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("serve", "run the gateway"), ("check", "check the configuration and show what it makes")):
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("--config", type=Path, default=Path("config.toml"), metavar="FILE", help="default: config.toml")
    return parser


if __name__ == "__main__":
    sys.exit(main())
