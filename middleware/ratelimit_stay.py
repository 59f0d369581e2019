"""What one request takes from its caller's limits, and gives back."""

from collections.abc import Awaitable, Sequence
from functools import partial
from math import ceil
from typing import Any

from ailb.errors import RateLimited
from ailb.exchange import Exchange, Outcome
from middleware.ratelimit_window import Books, Limits, Share, Window, tell, unfit


class Stay:
    """One request's use of its limits in one of the books. `settle` is to be registered before `admit` is called: then all that was
    taken comes back, wherever it ends.
    """

    __slots__ = ("_admitted", "_books", "_exchange", "_limits", "_shares", "_slot", "_taken", "_taken_at")

    def __init__(self, exchange: Exchange, limits: Limits, books: Books, slot: str) -> None:
        self._exchange = exchange
        self._limits = limits
        self._books = books
        self._slot = slot if limits.parallel is not None else None
        self._shares = _shares(exchange, limits)
        self._taken: list[Share] = []
        self._taken_at = exchange.elapsed
        self._admitted = False

    async def admit(self) -> None:
        """Takes all, and writes the reply's headers. Raises RateLimited and BooksLost; `settle` then gives back what was taken."""
        shares, limits = self._shares, self._limits
        try:
            windows, full, crowded = await self._books.admit(limits, shares, self._slot, self._taken)
        finally:
            self._taken_at = self._exchange.elapsed  # after it, so that nothing seems older than the window that it is in
        self._record(windows, None)
        if full is not None:
            raise self._refusal(full, windows)
        if crowded:
            self._slot = None
            raise self._crowded(windows)
        self._admitted = True
        self._tell(self._exchange.reply_headers, [window.plus(share.cost) for share, window in zip(shares, windows, strict=True)])

    async def look(self) -> None:
        """Takes nothing. Raises RateLimited where `admit` would now, and BooksLost."""
        books, limits = self._books, self._limits
        windows = await books.look(self._shares)
        busy = 0 if limits.parallel is None else await books.busy(limits.account)
        self._record(windows, busy)
        full = unfit(self._shares, windows)
        if full is not None:
            raise self._refusal(full, windows)
        if limits.parallel is not None and busy >= limits.parallel:
            raise self._crowded(windows)

    def settle(self, outcome: Outcome) -> Awaitable[None] | None:
        """Gives the slot back, and of the tokens what was too much; of a request that was not admitted, everything."""
        books, age = self._books, self._exchange.elapsed - self._taken_at
        back: list[Awaitable[None] | None] = []
        for share in self._taken:
            difference = _difference(share, outcome) if self._admitted else -share.cost
            if difference:
                back.append(books.correct(share.name, difference, age))
        if self._slot is not None:
            back.append(books.leave(self._limits.account, self._slot))
        waiting = [one for one in back if one is not None]
        return _each(waiting) if waiting else None

    def _record(self, windows: list[Window], busy: int | None) -> None:
        """What was left before this request. `busy`: how many are under way, if anybody looked."""
        self._exchange.record["limits"] = partial(_plain, self._shares, windows, self._limits.parallel, busy)

    def _crowded(self, windows: list[Window]) -> RateLimited:
        headers = {"retry-after": "1"}
        self._tell(headers, windows)
        return RateLimited(f"Rate limit exceeded: {self._limits.parallel} requests at a time", headers=headers)

    def _refusal(self, share: Share, windows: list[Window]) -> RateLimited:
        window = windows[self._shares.index(share)]
        headers = {"retry-after": str(max(1, ceil(window.wait(share.limit - share.cost))))}
        self._tell(headers, windows)
        if share.cost > share.limit:  # it will not fit tomorrow either
            headers["x-should-retry"] = "false"
            return RateLimited(f"Rate limit exceeded: {share.cost} {share.kind} are more than {share.limit} a minute", headers=headers)
        return RateLimited(f"Rate limit exceeded: {share.limit} {share.kind} a minute", headers=headers)

    def _tell(self, headers: dict[str, str], windows: list[Window]) -> None:
        for share, window in zip(self._shares, windows, strict=True):
            tell(headers, share.kind, share.limit, window)


def _shares(exchange: Exchange, limits: Limits) -> list[Share]:
    shares = []
    if limits.requests is not None:
        shares.append(Share("requests", f"requests/{limits.account}", limits.requests, 1))
    if limits.tokens is not None:
        shares.append(Share("tokens", f"tokens/{limits.account}", limits.tokens, _estimate(exchange, limits.tokens)))
    return shares


def _estimate(exchange: Exchange, limit: int) -> int:
    """Tokens: a quarter of the prompt's bytes, and what the client lets the answer have, as far as that fits into the limit at all:
    most answers are much shorter than they might be.
    """
    size = 0
    for text in exchange.prompt.texts():
        size += len(text) if text.isascii() else len(text.encode(errors="replace"))
    prompt = max(1, size // 4)
    return max(prompt, min(prompt + (exchange.prompt.output_cap or 0), limit))


def _difference(share: Share, outcome: Outcome) -> int:
    """What it took more than was thought, or less. Where nobody said how much, the estimate stands; nothing for what got no answer."""
    if share.kind != "tokens":
        return 0
    if outcome.usage is not None:
        return outcome.usage.total - share.cost
    return -share.cost if outcome.status == "refused" else 0


def _plain(shares: Sequence[Share], windows: Sequence[Window], most: int | None, busy: int | None) -> list[dict[str, Any]]:
    """As a record has them."""
    limits: list[dict[str, Any]] = [
        {
            "kind": share.kind,
            "limit": share.limit,
            "left": max(0, share.limit - window.used),
            "takes": share.cost,
            "resets_seconds": round(window.wait(0), 3),
        }
        for share, window in zip(shares, windows, strict=True)
    ]
    if most is not None:
        left = None if busy is None else max(0, most - busy)
        limits.append({"kind": "parallel", "limit": most, "left": left, "takes": 1, "resets_seconds": None})
    return limits


async def _each(waiting: list[Awaitable[None]]) -> None:
    for one in waiting:
        await one
