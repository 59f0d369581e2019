"""`ailb serve`: runs the gateway."""

import signal
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Final

from ailb.commands import takes_config

HELP: Final = "run the gateway"


def arguments(parser: ArgumentParser) -> None:
    takes_config(parser)


def run(options: Namespace, environ: Mapping[str, str]) -> int:
    """Raises ConfigError, and OSError where the port cannot be had."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it would end this; a reload waits until there is something to reload
    from ailb.server import serve

    return serve(options.config, environ)
