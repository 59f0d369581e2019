"""Work on the event loop, driven by hand: so that it can be counted how often it lets others have their turn."""

from collections.abc import Coroutine
from itertools import count
from typing import Any, TypeVar

Result = TypeVar("Result")


def driven(work: Coroutine[Any, Any, Result]) -> tuple[Result, int]:
    """What came of work that waits for nobody, and how many turns others had meanwhile."""
    for turns in count():
        try:
            work.send(None)
        except StopIteration as end:
            result: Result = end.value
            return result, turns
    raise AssertionError
