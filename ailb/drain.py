"""Reading on for the usage after the client left, for providers where that is wanted."""

import asyncio
from collections.abc import Callable

from ailb.dialect import Event
from ailb.errors import Refusal
from ailb.exchange import Drain, Reply


class Draining:
    """The rest of one stream: `see` is called for each batch that still comes."""

    def __init__(self, reply: Reply, drain: Drain, see: Callable[[list[Event]], None]) -> None:
        self._reply = reply
        self._drain = drain
        self._see = see
        self._limit = asyncio.timeout(None)
        self._reading = False
        self._stopped = False

    async def run(self) -> None:
        """Returns when the stream is over, however that comes about, or goes on for longer than it may."""
        if self._stopped:
            return
        left = self._drain.bytes
        try:
            async with self._limit:
                self._reading = True
                self._limit.reschedule(asyncio.get_running_loop().time() + self._drain.seconds)
                async for batch in self._reply:
                    self._see(batch)
                    left -= sum(len(event.raw) for event in batch)
                    if left < 0:
                        return
        except (TimeoutError, Refusal):
            return
        finally:
            self._reading = False

    def stop(self) -> None:
        """Lets `run` return now."""
        self._stopped = True
        if self._reading:
            self._limit.reschedule(asyncio.get_running_loop().time())
