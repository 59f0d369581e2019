"""The books that several processes share, in Redis or Valkey; and what is done while it does not answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Final, ParamSpec, Self, TypeVar

import structlog
from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Unconnected
from redis.exceptions import RedisError

from ailb.secret import Secret
from middleware.ratelimit_window import MINUTE, Admission, BooksLost, Limits, Share, Window, unfit

LOG = structlog.get_logger("ailb.ratelimit")
P = ParamSpec("P")
T = TypeVar("T")

SECONDS: Final = 0.2
"""How long any answer may take."""
CONNECTIONS: Final = 16
OPEN_AFTER: Final = 3
"""Failures in a row after which nobody waits for it any more."""
PROBE_SECONDS: Final = 1.0
LEASE_SECONDS: Final = 30
RENEW_EVERY: Final = 10
"""Probes from one renewal of the leases to the next."""
UNLIMITED: Final = 1 << 52
PREFIX: Final = "ailb"

ENTER: Final = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""A sorted set of the slots that are taken, by the time when their lease is over. ARGV: most slots, slot, seconds of the lease."""

BUSY: Final = "return redis.call('ZCOUNT', KEYS[1], '(' .. redis.call('TIME')[1], '+inf')"

LEAVE: Final = "redis.call('ZREM', KEYS[1], ARGV[1])"

RENEW: Final = """
local ends = tonumber(redis.call('TIME')[1]) + ARGV[1]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], ends, ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""

GIVE_BACK: Final = """
local began = 2 * tonumber(ARGV[3]) - redis.call('PTTL', KEYS[2])
local age = tonumber(ARGV[2])
local key = age <= began and KEYS[2] or KEYS[1]
if age > began + tonumber(ARGV[3]) then return end
local back = math.min(tonumber(ARGV[1]), tonumber(redis.call('GET', key)) or 0)
if back > 0 then redis.call('DECRBY', key, back) end
"""
"""`limits` cannot give back. Its current count lives for two windows and becomes the previous one after the first, so what is left
of its life tells in which of the two something was taken. KEYS: previous, current. ARGV: how much, its age, the window; milliseconds.
"""


class Shared:
    """`async with` it, and it is probed and its leases renewed. No wait for an answer is longer than `seconds`, and none is begun
    while it is not `up`.
    """

    def __init__(self, url: Secret, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        pool = BlockingConnectionPool.from_url(
            url.reveal(),
            max_connections=CONNECTIONS + 1,  # and one for the probe
            timeout=seconds,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), 1, (Unconnected,)),  # a connection may have died with a Redis that is up again
        )
        self._redis: Redis = Redis(connection_pool=pool)
        self._counts = RedisStorage("async+redis://", implementation="redispy", key_prefix=PREFIX, connection_pool=pool)  # type: ignore[arg-type]
        self._enter = self._redis.register_script(ENTER)
        self._busy = self._redis.register_script(BUSY)
        self._leave = self._redis.register_script(LEAVE)
        self._renew = self._redis.register_script(RENEW)
        self._give_back = self._redis.register_script(GIVE_BACK)
        self._process = token_hex(6)
        self._held: dict[str, set[str]] = {}
        self._failures = 0
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._tending: asyncio.Task[None] | None = None
        self._over = False

    @property
    def up(self) -> bool:
        return self._failures < OPEN_AFTER

    async def __aenter__(self) -> Self:
        self._tending = asyncio.create_task(self._tend())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over = True  # a cancellation may get lost in the client, where it comes at the same time as a timeout
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait([self._tending])
        with suppress(RedisError, OSError):
            await self._redis.aclose()
            await self._redis.connection_pool.disconnect()

    async def look(self, shares: Sequence[Share]) -> list[Window]:
        return [Window(*await self._asked(self._counts.get_sliding_window, share.name, MINUTE)) for share in shares]

    async def admit(self, limits: Limits, shares: Sequence[Share], slot: str | None, taken: list[Share]) -> Admission:
        windows = await self.look(shares)
        full = unfit(shares, windows)
        if full is not None:
            return Admission(windows, full)
        if slot is not None and limits.parallel is not None and not await self.enter(limits.account, limits.parallel, slot):
            return Admission(windows, crowded=True)
        for share in shares:
            if not await self.take(share.name, share.limit, share.cost):
                return Admission(windows, share)
            taken.append(share)
        return Admission(windows)

    async def busy(self, account: str) -> int:
        taken: int = await self._asked(self._busy, [_slots(account)])
        return taken

    async def take(self, name: str, limit: int, cost: int) -> bool:
        return await self._asked(self._counts.acquire_sliding_window_entry, name, limit, MINUTE, cost)

    async def enter(self, account: str, most: int, slot: str) -> bool:
        slot = f"{self._process}-{slot}"
        entered: int = await self._asked(self._enter, [_slots(account)], [most, slot, LEASE_SECONDS])
        if entered:
            self._held.setdefault(account, set()).add(slot)
        return bool(entered)

    async def correct(self, name: str, difference: int, age: float) -> None:
        with suppress(BooksLost):
            if difference > 0:
                await self.take(name, UNLIMITED, difference)
            elif difference < 0:
                current = f"{PREFIX}:{{{name}}}"
                await self._asked(self._give_back, [f"{current}/-1", current], [-difference, int(age * 1000) - 1, MINUTE * 1000])

    async def leave(self, account: str, slot: str) -> None:
        slot = f"{self._process}-{slot}"
        slots = self._held.get(account, set())
        slots.discard(slot)
        if not slots:
            self._held.pop(account, None)
        with suppress(BooksLost):
            await self._asked(self._leave, [_slots(account)], [slot])

    async def renew(self) -> None:
        """Prolongs the leases of all slots that this process holds; puts back those that Redis has forgotten. Raises BooksLost."""
        for account, slots in list(self._held.items()):
            if slots:
                await self._asked(self._renew, [_slots(account)], [LEASE_SECONDS, *slots])

    async def _asked(self, ask: Callable[P, Awaitable[T]], *args: P.args, **options: P.kwargs) -> T:
        """Its turn comes at once when Redis is found to be lost, however many wait: nobody waits behind others for what does not come."""
        async with self._turns:
            if not self.up:
                raise BooksLost
            return await self._tried(ask, *args, **options)

    async def _tried(self, ask: Callable[P, Awaitable[T]], *args: P.args, **options: P.kwargs) -> T:
        try:
            got = await ask(*args, **options)
        except (RedisError, OSError) as problem:
            self._failures += 1
            if self._failures == OPEN_AFTER:
                LOG.warning("redis lost", problem=str(problem))
            raise BooksLost from problem
        if not self.up:
            LOG.info("redis is back")
        self._failures = 0
        return got

    async def _tend(self) -> None:
        beat = 0
        while not self._over:
            await asyncio.sleep(PROBE_SECONDS)
            beat += 1
            with suppress(BooksLost):
                if not self.up:
                    await self._tried(self._counts.get, "probe")
                    await self.renew()
                elif beat % RENEW_EVERY == 0:
                    await self.renew()


def _slots(account: str) -> str:
    return f"{PREFIX}:slots:{account}"
