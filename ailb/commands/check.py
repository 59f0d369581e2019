"""`ailb check`: what a configuration makes, or the first thing that is wrong with it."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Final

from ailb.commands import takes_config

HELP: Final = "check the configuration and show what it makes"


def arguments(parser: ArgumentParser) -> None:
    takes_config(parser)


def run(options: Namespace, environ: Mapping[str, str]) -> int:
    """Raises ConfigError."""
    from ailb.check import report

    sys.stdout.write(report(options.config, environ))
    return 0
