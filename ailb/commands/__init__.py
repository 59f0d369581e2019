"""The commands of `ailb`, a module each: HELP in a line, `arguments(parser)`, and `run(options, environ)`.

A command imports what it needs when it runs, so that `ailb --help` does not wait for it.
"""

from argparse import ArgumentParser
from pathlib import Path


def takes_config(parser: ArgumentParser) -> None:
    """The option that almost every command has."""
    parser.add_argument("--config", type=Path, default=Path("config.toml"), metavar="FILE", help="default: config.toml")
