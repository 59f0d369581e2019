"""Two at once: a second target is asked when the first takes unusually long, and the first to say something is heard.

Source: Dean and Barroso, "The Tail at Scale", 2013.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar


class Leg(Protocol):
    """What came of asking one target."""

    def close(self) -> None:
        """Nobody wants it any more."""


L = TypeVar("L", bound=Leg)


async def first_of(first: Coroutine[Any, Any, L], delay: float, second: Callable[[], Coroutine[Any, Any, L] | None]) -> L:
    """What answers first: `first`, or `second()`, which is begun after `delay` seconds. The other one is cancelled, and is over when this
    returns. If both fail, it raises what the later one raised. `second` may have nobody to ask.
    """
    running = {asyncio.create_task(first)}
    try:
        begun, _ = await asyncio.wait(running, timeout=delay)
        if not begun and (other := second()) is not None:
            running.add(asyncio.create_task(other))
        while True:
            over, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            answered = [leg.result() for leg in over if leg.exception() is None]
            for late in answered[1:]:
                late.close()
            if answered:
                return answered[0]
            if not running:
                return over.pop().result()
    finally:
        await _end(running)


async def _end(running: set[asyncio.Task[L]]) -> None:
    for leg in running:
        leg.cancel()
    if running:
        await asyncio.wait(running)
    for leg in running:
        if not leg.cancelled() and leg.exception() is None:
            leg.result().close()
