"""`ailb admin-key`: a new admin key, for AILB_ADMIN_KEY."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Final

HELP: Final = "print a new random admin key, for AILB_ADMIN_KEY"


def arguments(parser: ArgumentParser) -> None:
    """None."""


def run(options: Namespace, environ: Mapping[str, str]) -> int:
    """256 random bits. It is kept nowhere: whoever runs the gateway sets it."""
    sys.stdout.write(f"ailb-admin-{token_urlsafe(32)}\n")
    return 0
