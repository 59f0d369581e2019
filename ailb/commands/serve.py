"""`ailb serve`: runs the gateway."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Final

from ailb.commands import takes_config

HELP: Final = "run the gateway"


def arguments(parser: ArgumentParser) -> None:
    takes_config(parser)


def run(options: Namespace, environ: Mapping[str, str]) -> int:
    """Raises ConfigError, and OSError where the port cannot be had."""
    from ailb.server import serve

    return serve(options.config, environ)
