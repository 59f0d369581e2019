"""What became of each of the last requests and why, for those who ask later."""

from typing import Any, Final

from ailb.clock import Clock
from ailb.exchange import Exchange, Outcome, Reply
from ailb.prompt import Prompt
from ailb.records import Records as Kept
from ailb.records import recorded
from ailb.stack import Next
from ailb.strict import dumps

MOST_KEPT: Final = 100_000
MOST_PROMPT: Final = 16 * 1024
"""Bytes of a conversation that are kept, if it is to be kept at all."""


class Records:
    """Behind `access`, so that it is told when all is settled and paid. The last `keep` requests of this process are kept in its memory.
    `prompts`: their conversations too, as they went out, cut to 16 KB.
    """

    def __init__(self, records: Kept, clock: Clock, *, keep: int = 1000, prompts: bool = False) -> None:
        if not 1 <= keep <= MOST_KEPT:
            raise ValueError(f"keep must be from 1 to {MOST_KEPT}")
        self._records = records
        self._clock = clock
        self._keep = keep
        self._prompts = prompts

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        if not exchange.dry:
            exchange.on_settle(lambda outcome: self._put(exchange, outcome))
        return await call_next(exchange)

    def _put(self, exchange: Exchange, outcome: Outcome) -> None:
        more = {"prompt": _cut(exchange.prompt)} if self._prompts else {}
        record = recorded(exchange, outcome, at=self._clock.unix() - outcome.seconds, **more)
        self._records.put(exchange.caller.user, exchange.id, record, keep=self._keep)


def _cut(prompt: Prompt) -> dict[str, Any]:
    """Its messages as JSON text, which may end anywhere, and how many bytes all of them have."""
    text = dumps(prompt.readable()["messages"])
    return {"messages": text[:MOST_PROMPT].decode(errors="ignore"), "bytes": len(text)}
