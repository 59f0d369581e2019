"""Wrong keys, by the address that they come from: so many a second are looked up, and then no more."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Final, TypeVar

from ailb.clock import Clock
from ailb.errors import InvalidKey, RateLimited

T = TypeVar("T")

MOST_WRONG: Final = 20
"""Wrong keys from one address in any second."""

MOST_ADDRESSES: Final = 10_000
MOST_RIGHT: Final = 10_000


class Guesses:
    """A key that was right before is always judged, whatever else comes from its address. Of the others no more are judged at a time
    than might still be wrong; the rest waits for its turn, and is refused once it is certain that there is none.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._right: dict[int, None] = {}
        """Hashes of Python's own, which say nothing outside of this process: a secret is not to lie about in memory."""
        self._places: OrderedDict[str, _Place] = OrderedDict()

    async def judged(self, given: str, judge: Callable[[], Awaitable[T]], address: Callable[[], str]) -> T:
        """What `judge` says about the key that was given. Raises RateLimited, and whatever it raises; InvalidKey means a wrong key."""
        mark = hash(given)
        known = mark in self._right
        place = None if known else self._place(address())
        if place is not None:
            await place.enter()
        try:
            said = await judge()
        except InvalidKey:
            self._right.pop(mark, None)
            (place or self._place(address())).wrong()
            raise
        finally:
            if place is not None:
                place.leave()
        if not known:
            self._remember(mark)
        return said

    def _remember(self, mark: int) -> None:
        self._right[mark] = None
        if len(self._right) > MOST_RIGHT:
            del self._right[next(iter(self._right))]

    def _place(self, address: str) -> "_Place":
        name = network(address)
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = _Place(self._clock)
            if len(self._places) > MOST_ADDRESSES:
                self._places.popitem(last=False)
        self._places.move_to_end(name)
        return place


class _Place:
    """Where keys come from: how many are being judged, and when the last wrong ones were."""

    __slots__ = ("_clock", "_turn", "_under_way", "_wrong")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way = 0
        self._wrong: deque[float] = deque(maxlen=MOST_WRONG)
        self._turn: asyncio.Event | None = None

    async def enter(self) -> None:
        """Raises RateLimited."""
        while (recent := self._recent()) + self._under_way >= MOST_WRONG:
            if recent == MOST_WRONG:
                wait = self._wrong[0] + 1 - self._clock.monotonic()
                raise RateLimited(
                    "Rate limit exceeded: too many wrong keys from this address", headers={"retry-after": str(max(1, ceil(wait)))}
                )
            if self._turn is None:
                self._turn = asyncio.Event()
            await self._turn.wait()
        self._under_way += 1

    def wrong(self) -> None:
        self._wrong.append(self._clock.monotonic())

    def leave(self) -> None:
        self._under_way -= 1
        if self._turn is not None:
            self._turn.set()
            self._turn = None

    def _recent(self) -> int:
        since = self._clock.monotonic() - 1
        while self._wrong and self._wrong[0] <= since:
            self._wrong.popleft()
        return len(self._wrong)


def network(address: str) -> str:
    """Who counts as one: an IPv4 address, the 64 bits of an IPv6 one that a network's owner does not choose freely, or what it is."""
    if ":" not in address:
        return address
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(IPv6Address(int(ip) >> 64 << 64))
