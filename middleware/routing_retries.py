"""How often a target that failed may be asked again: rarely enough that retries never become the outage."""

from random import Random
from typing import Final

BASE_SECONDS: Final = 0.25
MOST_BACKOFF_SECONDS: Final = 8.0


class RetryBudget:
    """Retries are at most `share` of the requests, and a few more where there is little traffic.

    A bucket of tokens: each request puts `share` into it, each retry takes one. Source: Finagle's RetryBudget, 2016.
    """

    def __init__(self, share: float = 0.2, *, reserve: float = 10.0, a_second: float = 0.1) -> None:
        self._share = share
        self._most = reserve
        self._a_second = a_second
        self._tokens = reserve
        self._at: float | None = None

    def earn(self) -> None:
        self._tokens = min(self._tokens + self._share, self._most)

    def spend(self, now: float) -> bool:
        """Whether one more may be made. `now`: monotonic seconds."""
        self._tokens = min(self._tokens + max(0.0, now - (now if self._at is None else self._at)) * self._a_second, self._most)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def backoff(tries: int, said: float | None, dice: Random) -> float:
    """Seconds to wait after so many tries (1 and up): with full jitter, and never less than the upstream `said`.

    Source: Brooker, "Exponential Backoff And Jitter", 2015.
    """
    most: float = min(MOST_BACKOFF_SECONDS, BASE_SECONDS * 2**tries)
    return (said or 0.0) + dice.uniform(0.0, most)
