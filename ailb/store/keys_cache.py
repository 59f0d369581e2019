"""Virtual keys by the hash of their secret, kept at hand: so that a request costs no query, and a flood of wrong keys costs few."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ailb.clock import Clock
from ailb.errors import Unavailable
from ailb.keys import Key

MOST: Final = 10_000
"""Keys that are kept, and hashes of which it is kept that there is no such key."""

MOST_WAITING: Final = 20_000
BATCH: Final = 500
BETWEEN_SECONDS: Final = 0.025
"""From one query to the next: at most forty a second, however many keys are asked for."""

BELIEVED_SECONDS: Final = 2.0
"""How long after the last look at the revision what is kept is believed."""

RETRY_SECONDS: Final = 0.5


@dataclass(slots=True)
class Known:
    """`last_used` is in microseconds since 1970, as the store has it or is about to."""

    key: Key
    last_used: int


Loader = Callable[[Sequence[bytes]], Awaitable[Mapping[bytes, Known]]]


class Cache:
    """`load` gets the active keys with some hashes, `revision` a number that differs after every change. Both may raise Unavailable."""

    def __init__(self, load: Loader, revision: Callable[[], Awaitable[int]], clock: Clock) -> None:
        self._load = load
        self._revision = revision
        self._clock = clock
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._unknown: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: dict[bytes, asyncio.Future[Known | None]] = {}
        self._asked: dict[bytes, asyncio.Future[Known | None]] = {}
        self._loading: asyncio.Task[None] | None = None
        self._seen: int | None = None
        self._good_until = float("-inf")
        self._failed_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def find(self, digest: bytes) -> Known | None:
        """Raises Unavailable."""
        if self._clock.monotonic() >= self._good_until:
            await self.look()
        if (known := self._known.get(digest)) is not None:
            self._known.move_to_end(digest)
            return known
        if digest in self._unknown:
            return None
        return await self._ask(digest)

    async def look(self) -> None:
        """Forgets everything if the revision is another one. Raises Unavailable; at once, where it was found a moment ago."""
        if self._looking is None:
            if self._clock.monotonic() - self._failed_at < RETRY_SECONDS:
                raise Unavailable("the store is not available", headers={"retry-after": "1"})
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(_take_note)
        await asyncio.shield(self._looking)

    def forget(self) -> None:
        """What is kept. An answer on its way may be older than the change: it is for those only who asked before."""
        self._asked = {}
        self._known.clear()
        self._unknown.clear()

    async def close(self) -> None:
        tasks = [task for task in (self._loading, self._looking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for future in self._waiting.values():
            future.cancel()

    async def _look(self) -> None:
        began = self._clock.monotonic()
        try:
            seen = await self._revision()
        except Unavailable:
            self._failed_at = self._clock.monotonic()
            raise
        finally:
            self._looking = None
        if seen != self._seen:
            self.forget()
            self._seen = seen
        self._good_until = began + BELIEVED_SECONDS

    async def _ask(self, digest: bytes) -> Known | None:
        """One question for everybody who waits for the same hash."""
        future = self._asked.get(digest) or self._waiting.get(digest)
        if future is None:
            if len(self._waiting) >= MOST_WAITING:
                raise Unavailable("too many unknown keys at once", headers={"retry-after": "1"})
            future = self._waiting[digest] = asyncio.get_running_loop().create_future()
            if self._loading is None:
                self._loading = asyncio.create_task(self._load_all())
        return await asyncio.shield(future)

    async def _load_all(self) -> None:
        """Until nobody waits any more. It goes on a little longer, so that the next one keeps its distance."""
        try:
            while self._waiting:
                await self._load_some()
                await asyncio.sleep(BETWEEN_SECONDS)
        finally:
            self._loading = None

    async def _load_some(self) -> None:
        asked = {digest: self._waiting.pop(digest) for digest in list(self._waiting)[:BATCH]}
        self._asked = asked
        try:
            found = await self._load(list(asked))
        # Those who wait get it, whatever it is; here it would only end the task.
        except Exception as error:  # noqa: BLE001 - it is raised to them
            for future in asked.values():
                future.set_exception(error)
                future.exception()  # whoever waited may be gone
        else:
            for digest, future in asked.items():
                if self._asked is asked:
                    self._keep(digest, found.get(digest))
                future.set_result(found.get(digest))
        finally:
            for future in asked.values():
                future.cancel()  # those that have an answer keep it; this is the end of everything
            if self._asked is asked:
                self._asked = {}

    def _keep(self, digest: bytes, known: Known | None) -> None:
        if known is None:
            self._unknown[digest] = None
            if len(self._unknown) > MOST:
                self._unknown.popitem(last=False)
            return
        self._known[digest] = known
        if len(self._known) > MOST:
            self._known.popitem(last=False)


def _take_note(task: asyncio.Task[None]) -> None:
    """Whoever waited for it may be gone, and then asyncio would complain that nobody asked."""
    if not task.cancelled():
        task.exception()
