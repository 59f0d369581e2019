"""What of Hypercorn is replaced: its HTTP/2, and its connections, which leave less behind."""

from functools import partial

import hypercorn.asyncio.run
import hypercorn.protocol
from hypercorn.asyncio.tcp_server import TCPServer

from ailb.engines_h2 import Bounded


class Tidy(TCPServer):
    """A connection has its protocol, and that has the connection: a cycle, and 40 objects of each wait for Python's collector."""

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            for name in ("protocol", "_task_group"):  # neither is there, if it was over before it began
                vars(self).pop(name, None)


def install(write_seconds: float) -> None:
    """Ours in place of Hypercorn's own, which has no setting for any of it."""
    hypercorn.protocol.H2Protocol = partial(Bounded, write_seconds)  # type: ignore[attr-defined, assignment]
    hypercorn.asyncio.run.TCPServer = Tidy  # type: ignore[attr-defined]
