"""What one request takes from its caller's limits, and gives back."""

from collections.abc import Awaitable, Sequence
from functools import partial
from math import ceil
from typing import Any, NamedTuple

from ailb.errors import RateLimited
from ailb.exchange import Exchange, Outcome
from middleware.ratelimit_window import Books, Window, told


class Limits(NamedTuple):
    """Whose they are, and how many: a minute, and at a time. None: no limit."""

    account: str
    requests: int | None
    tokens: int | None
    parallel: int | None


class Share(NamedTuple):
    """What a request takes of one of the limits that are per minute."""

    kind: str
    name: str
    limit: int
    cost: int


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
        books, limits = self._books, self._limits
        windows = [await books.look(share.name) for share in self._shares]
        self._record(windows, None)
        self._check(windows)
        if limits.parallel is not None and self._slot is not None and not await books.enter(limits.account, limits.parallel, self._slot):
            self._slot = None
            raise self._crowded(windows)
        for share in self._shares:
            if not await books.take(share.name, share.limit, share.cost):  # somebody came between the look and this
                raise self._refusal(share, windows)
            self._taken.append(share)
            self._taken_at = self._exchange.elapsed  # after it, so that it never seems older than the window that it is in
        self._admitted = True
        after = [window.plus(share.cost) for share, window in zip(self._shares, windows, strict=True)]
        self._exchange.reply_headers.update(self._told(after))

    async def look(self) -> None:
        """Takes nothing. Raises RateLimited where `admit` would now, and BooksLost."""
        books, limits = self._books, self._limits
        windows = [await books.look(share.name) for share in self._shares]
        busy = 0 if limits.parallel is None else await books.busy(limits.account)
        self._record(windows, busy)
        self._check(windows)
        if limits.parallel is not None and busy >= limits.parallel:
            raise self._crowded(windows)

    def settle(self, outcome: Outcome) -> Awaitable[None] | None:
        """Gives the slot back, and of the tokens what was too much; of a request that was not admitted, everything."""
        waiting: list[Awaitable[None] | None] = []
        age = self._exchange.elapsed - self._taken_at
        for share in self._taken:
            difference = _difference(share, outcome) if self._admitted else -share.cost
            if difference:
                waiting.append(self._books.correct(share.name, difference, age))
        if self._slot is not None:
            waiting.append(self._books.leave(self._limits.account, self._slot))
        left = [one for one in waiting if one is not None]
        return _each(left) if left else None

    def _record(self, windows: list[Window], busy: int | None) -> None:
        """What was left before this request. `busy`: how many are under way, if anybody looked."""
        self._exchange.record["limits"] = partial(_plain, self._shares, windows, self._limits.parallel, busy)

    def _check(self, windows: list[Window]) -> None:
        """Raises RateLimited."""
        for share, window in zip(self._shares, windows, strict=True):
            if window.used + share.cost > share.limit:
                raise self._refusal(share, windows)

    def _crowded(self, windows: list[Window]) -> RateLimited:
        what = f"Rate limit exceeded: {self._limits.parallel} requests at a time"
        return RateLimited(what, headers={"retry-after": "1", **self._told(windows)})

    def _refusal(self, share: Share, windows: list[Window]) -> RateLimited:
        window = windows[self._shares.index(share)]
        headers = {"retry-after": str(max(1, ceil(window.wait(share.limit - share.cost)))), **self._told(windows)}
        if share.cost > share.limit:  # it will not fit tomorrow either
            headers["x-should-retry"] = "false"
            return RateLimited(f"Rate limit exceeded: {share.cost} {share.kind} are more than {share.limit} a minute", headers=headers)
        return RateLimited(f"Rate limit exceeded: {share.limit} {share.kind} a minute", headers=headers)

    def _told(self, windows: list[Window]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for share, window in zip(self._shares, windows, strict=True):
            headers.update(told(share.kind, share.limit, window))
        return headers


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
    size = sum(len(text) if text.isascii() else len(text.encode(errors="replace")) for text in exchange.prompt.texts())
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
