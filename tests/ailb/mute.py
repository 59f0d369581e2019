"""A provider that answers, and has no list of its models."""

from ailb.exchange import Attempt, Exchange, Reply
from ailb.testing import answers


class Mute:
    async def __call__(self, exchange: Exchange, attempt: Attempt) -> Reply:
        return await answers("x")(exchange)
