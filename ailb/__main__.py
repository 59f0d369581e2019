"""The command line: `ailb serve`, `ailb check`."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ailb import __version__
from ailb.errors import ConfigError


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Returns the exit status: 0, or 2 for a configuration that cannot be served."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "serve":
            from ailb.server import serve

            serve(options.config, environ)
        else:
            from ailb.check import report

            sys.stdout.write(report(options.config, environ))
    except ConfigError as problem:
        sys.stderr.write(f"ailb: {problem}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ailb", description="An AI load balancer.")
    parser.add_argument("--version", action="version", version=f"ailb {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("serve", "run the gateway"), ("check", "check the configuration and show what it makes")):
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("--config", type=Path, default=Path("config.toml"), metavar="FILE", help="default: config.toml")
    return parser


if __name__ == "__main__":
    sys.exit(main())
