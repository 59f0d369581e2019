"""Who may ask how often: requests and tokens a minute, and requests at a time, of each key or user."""

import asyncio
from collections.abc import Awaitable, Mapping
from hashlib import blake2s
from itertools import count
from typing import TYPE_CHECKING, Final, Literal, Self

from ailb.errors import ConfigError, Unavailable
from ailb.exchange import Caller, Exchange, Reply
from ailb.secret import Secret
from ailb.stack import Next
from middleware.ratelimit_memory import Memory
from middleware.ratelimit_stay import Stay
from middleware.ratelimit_window import BooksLost, Limits

if TYPE_CHECKING:
    from middleware.ratelimit_redis import Shared

MOST_WAITS: Final = 10
"""How many times as long as for one answer a request waits for Redis in all, behind others who ask it: one that is slow must not make
a queue.
"""

MOST_NAME: Final = 64
"""Characters of a user's name that are kept; a longer one is hashed."""


class RateLimit:
    """The options are the limits of callers whose key has none of its own; None: no limit. With `redis`, a URL, all processes count
    together; while it does not answer each counts alone (`go_on`), or nobody with a limit gets in (`refuse`).
    """

    def __init__(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_parallel: int | None = None,
        redis: Secret | None = None,
        when_redis_is_down: Literal["refuse", "go_on"] = "go_on",
    ) -> None:
        self._defaults = (requests_per_minute, tokens_per_minute, max_parallel)
        if any(limit is not None and limit < 1 for limit in self._defaults):
            raise ValueError("a limit should be at least 1; without one there is no limit")
        self._memory = Memory()
        self._shared = _shared(redis) if redis else None
        self._refuse = when_redis_is_down == "refuse"
        self._slots = count()

    async def __aenter__(self) -> Self:
        if self._shared is not None:
            await self._shared.__aenter__()
        return self

    async def __aexit__(self, *why: object) -> None:
        if self._shared is not None:
            await self._shared.__aexit__(*why)

    @property
    def dependencies(self) -> Mapping[str, bool]:
        return {} if self._shared is None else {"redis": self._shared.up}

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        limits = self._limits(exchange.caller)
        if limits is not None:
            await self._admit(exchange, limits)
        return await call_next(exchange)

    def _admit(self, exchange: Exchange, limits: Limits) -> Awaitable[None]:
        """Raises RateLimited, Unavailable."""
        slot = str(next(self._slots))
        if self._shared is None:
            return self._stay(Stay(exchange, limits, self._memory, slot), exchange)
        return self._admit_shared(exchange, limits, slot, self._shared)

    async def _admit_shared(self, exchange: Exchange, limits: Limits, slot: str, shared: "Shared") -> None:
        if shared.up:
            try:
                async with asyncio.timeout(MOST_WAITS * shared.seconds):
                    await self._stay(Stay(exchange, limits, shared, slot), exchange)
                return
            except (BooksLost, TimeoutError):
                pass  # what it has taken comes back all the same, once Redis does
        if self._refuse:
            raise Unavailable("the rate limits cannot be looked up now", headers={"retry-after": "1"})
        await self._stay(Stay(exchange, limits, self._memory, slot), exchange)

    def _stay(self, stay: Stay, exchange: Exchange) -> Awaitable[None]:
        """Raises RateLimited, BooksLost."""
        if exchange.dry:
            return stay.look()
        exchange.on_settle(stay.settle)
        return stay.admit()

    def _limits(self, caller: Caller) -> Limits | None:
        """None where there are none."""
        key = caller.key
        requests, tokens, parallel = self._defaults
        if key is not None:
            requests = requests if key.rate_limit_rpm is None else key.rate_limit_rpm
            tokens = tokens if key.rate_limit_tpm is None else key.rate_limit_tpm
            parallel = parallel if key.max_parallel is None else key.max_parallel
        if requests is None and tokens is None and parallel is None:
            return None
        return Limits(f"key/{key.id}" if key is not None else _user(caller.user), requests, tokens, parallel)


def _user(name: str) -> str:
    """The account of a user; nobody is named like the hash of another."""
    return f"user/{name}" if len(name) <= MOST_NAME else f"hash/{blake2s(name.encode(errors='replace')).hexdigest()}"


def _shared(url: Secret) -> "Shared":
    """Imported only where it is wanted: `redis` need not be installed."""
    try:
        from middleware.ratelimit_redis import Shared
    except ModuleNotFoundError as missing:
        if missing.name != "redis":
            raise
        raise ConfigError('[[layer]] "ratelimit".redis', "needs the package redis: install ailb[redis]") from None
    try:
        return Shared(url)
    except ValueError:  # it may quote the password
        raise ConfigError('[[layer]] "ratelimit".redis', "should be a URL such as redis://host:6379/0") from None
