"""Answers by `Idempotency-Key`, as the layers see them: what was asked once is not done twice."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Claim:
    """One request that is not to be done twice: whose it is (300 characters), the name that they gave it (256), and its SHA-256."""

    owner: str
    name: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """What there is for a claim already. Not `done`: somebody is at it. Done without a `reply`: the answer was too large to keep."""

    done: bool
    reply: bytes | None = None


class Replays(Protocol):
    """Everything here raises Unavailable when it cannot be read or written down."""

    async def begin(self, claim: Claim, keep_seconds: float) -> Stored | None:
        """None: it is the caller's to do, who has to `finish` or `forget` it. What is older than `keep_seconds` is not there any more.

        Raises Conflict when the name was given to another request.
        """

    async def finish(self, claim: Claim, reply: bytes | None) -> None:
        """`reply` is what the next ones get; None: it was done, and what came of it is not kept."""

    async def forget(self, claim: Claim) -> None:
        """It came to nothing: the next one may try."""

    async def wait(self, claim: Claim, seconds: float) -> None:
        """Returns when it is worth to `begin` again, after at most so many seconds."""
