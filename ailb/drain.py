"""Reading on for the usage after the client left, for providers where that is wanted."""

import asyncio
from collections.abc import Callable

from ailb.dialect import Event
from ailb.errors import Refusal
from ailb.exchange import Drain, Reply


class Draining:
    """What still comes after the client left, from now on: an answer may still be awaited, or be on its way.

    As long as nobody reads it here, `give_up()` is called once it has been enough.
    """

    def __init__(self, drain: Drain, give_up: Callable[[], None]) -> None:
        self._left = drain.bytes
        self._give_up = give_up
        self._over = False
        self._timer = asyncio.get_running_loop().call_later(drain.seconds, self.stop)

    def took(self, size: int) -> None:
        """So many bytes of it came."""
        self._left -= size
        if self._left < 0:
            self.stop()

    async def read(self, reply: Reply, see: Callable[[list[Event]], None]) -> None:
        """`see` is called for each batch. Returns when the answer is over, however that comes about, or goes on for longer than it may."""
        if self._over:
            return
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._give_up = lambda: limit.reschedule(asyncio.get_running_loop().time())
                async for batch in reply:
                    see(batch)
                    self.took(sum(len(event.raw) for event in batch))
                    if self._over:
                        return
        except (TimeoutError, Refusal):
            return
        finally:
            self.close()

    def stop(self) -> None:
        """It is enough: whoever reads or waits is to end it. Idempotent."""
        if not self._over:
            self.close()
            self._give_up()

    def close(self) -> None:
        """It is over. Idempotent."""
        self._over = True
        self._timer.cancel()
