"""Replays in memory, for a layer's test."""

import asyncio
from contextlib import suppress

from ailb.errors import Conflict, Unavailable
from ailb.replays import Claim, Stored

Row = tuple[bytes, Stored]


class MemoryReplays:
    """`rows`: fingerprint and what is stored, by owner and name. `waiting`: how many wait now. While `down`, everything raises
    Unavailable. Nothing grows old.
    """

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.waiting = 0
        self.down = False
        self._changed = asyncio.Event()

    async def begin(self, claim: Claim, keep_seconds: float) -> Stored | None:
        self._check()
        row = self.rows.get((claim.owner, claim.name))
        if row is None:
            self.rows[claim.owner, claim.name] = (claim.fingerprint, Stored(done=False))
            return None
        fingerprint, stored = row
        if fingerprint != claim.fingerprint:
            raise Conflict("another request had this name")
        return stored

    async def finish(self, claim: Claim, reply: bytes | None) -> None:
        self._check()
        self.rows[claim.owner, claim.name] = (claim.fingerprint, Stored(done=True, reply=reply))
        self._tell()

    async def forget(self, claim: Claim) -> None:
        self._check()
        del self.rows[claim.owner, claim.name]
        self._tell()

    async def wait(self, claim: Claim, seconds: float) -> None:
        self.waiting += 1
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)
        finally:
            self.waiting -= 1

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the store is down")
