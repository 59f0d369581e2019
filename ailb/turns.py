"""Long work on the event loop, done a little at a time."""

from asyncio import sleep
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

Item = TypeVar("Item")

TURN: Final = 8
"""Items in a row. What is done with one takes up to half a millisecond, where it is written into `/metrics`."""


async def in_turns(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Everything else in the process has its turn after each few of them. What `items` come from may change meanwhile."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % TURN:
            await sleep(0)
