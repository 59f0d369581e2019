"""Hypercorn's connections, which leave nothing behind."""

import hypercorn.asyncio.run
from hypercorn.asyncio.tcp_server import TCPServer


class Tidy(TCPServer):
    """A connection has its protocol, and that has the connection: a cycle, and 40 objects of each wait for Python's collector."""

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            for name in ("protocol", "_task_group"):  # neither is there, if it was over before it began
                vars(self).pop(name, None)


def install() -> None:
    """Hypercorn offers no other place."""
    hypercorn.asyncio.run.TCPServer = Tidy  # type: ignore[attr-defined]
