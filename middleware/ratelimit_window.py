"""How much of a minute is used, when there is room again, and how clients are told. Pure."""

from collections.abc import Awaitable, Sequence
from math import ceil, floor
from typing import Final, NamedTuple, Protocol

MINUTE: Final = 60
_NAMES: Final = {kind: tuple(f"x-ratelimit-{what}-{kind}" for what in ("limit", "remaining", "reset")) for kind in ("requests", "tokens")}


class Window(NamedTuple):
    """A sliding window, as `limits` counts it: all of the current minute, and of the previous one the part that is not a minute ago.

    The times are seconds until a count is forgotten: a previous one after at most one minute, a current one after at most two.
    """

    previous: int
    previous_ttl: float
    current: int
    current_ttl: float

    @property
    def used(self) -> int:
        return floor(self.previous * self.previous_ttl / MINUTE + self.current) if self.previous else self.current

    def plus(self, cost: int) -> "Window":
        """After so much more was taken."""
        return Window(self.previous, self.previous_ttl, self.current + cost, self.current_ttl)

    def wait(self, most: int) -> float:
        """Seconds until no more than `most` are used, if nobody uses more; a minute where that will never be."""
        if most < 0:
            return MINUTE
        if self.used <= most:
            return 0.0
        if self.current <= most:
            return self.previous_ttl - (most + 1 - self.current) * MINUTE / self.previous
        until_previous = max(0.0, self.current_ttl - MINUTE)
        return until_previous + MINUTE - (most + 1) * MINUTE / self.current


class Limits(NamedTuple):
    """Whose they are, and how many: a minute, and at a time. None: no limit."""

    account: str
    requests: int | None
    tokens: int | None
    parallel: int | None


class Share(NamedTuple):
    """What a request takes of one of the limits that are per minute: `cost`, at least 1, of the window `name`."""

    kind: str
    name: str
    limit: int
    cost: int


class Admission(NamedTuple):
    """The windows of the shares as they were before. It was refused where a share does not fit, or all slots are taken."""

    windows: list[Window]
    unfit: Share | None = None
    crowded: bool = False


class BooksLost(Exception):
    """The books cannot be asked now."""


class Books(Protocol):
    """Who used how much. What has to wait raises BooksLost, except when something is given back: that is tried once."""

    async def look(self, shares: Sequence[Share]) -> list[Window]: ...

    async def busy(self, account: str) -> int:
        """How many slots are taken."""

    async def admit(self, limits: Limits, shares: Sequence[Share], slot: str | None, taken: list[Share]) -> Admission:
        """Takes a slot under the name `slot`, if there is one to take, and then the shares, where there is room for all. Who is refused
        takes no share, unless somebody came between a look and this. What is taken is put into `taken` at once.
        """

    def correct(self, name: str, difference: int, age: float) -> Awaitable[None] | None:
        """Adds to what was taken `age` seconds ago, or gives back what is negative."""

    def leave(self, account: str, slot: str) -> Awaitable[None] | None:
        """Gives a slot back, also one that may not have been taken after all."""


def unfit(shares: Sequence[Share], windows: Sequence[Window]) -> Share | None:
    """The first for which there is no room."""
    for share, window in zip(shares, windows, strict=True):
        if window.used + share.cost > share.limit:
            return share
    return None


def tell(headers: dict[str, str], kind: str, limit: int, window: Window) -> None:
    """OpenAI's headers about one limit. `kind` is requests or tokens."""
    limit_name, remaining_name, reset_name = _NAMES[kind]
    left = limit - window.used
    headers[limit_name] = str(limit)
    headers[remaining_name] = str(left) if left > 0 else "0"
    headers[reset_name] = duration(window.wait(0))


def duration(seconds: float) -> str:
    """As OpenAI writes it, rounded up: `6ms`, `1s`, `1m2s`."""
    if 0 < seconds <= 0.999:
        return f"{ceil(seconds * 1000)}ms"
    minutes, rest = divmod(ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
