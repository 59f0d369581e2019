"""What is asked twice under the same `Idempotency-Key` is done once: the second one gets the first one's answer.

It stands outside of rate limits, budgets and memory, so that an answer that is given again costs nothing and changes nothing.
"""

import asyncio
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import orjson
import structlog

from ailb.errors import BadRequest, Conflict, Unavailable
from ailb.exchange import Caller, Exchange, Outcome, Reply
from ailb.prompt import Prompt
from ailb.replays import Claim, Replays
from ailb.stack import Next
from middleware.idempotency_answer import Recording, replay

LOG = structlog.get_logger("ailb.idempotency")
HEADER: Final = "idempotency-key"
MOST_NAME: Final = 256
AGAIN: Final[Mapping[str, str]] = {"x-ailb-replayed": "true"}


class Idempotency:
    """Complete answers are kept for `keep_seconds`, if they have at most `max_bytes`. Whatever else a request came to is forgotten,
    so that it can be tried again. Who asks while the first one is under way waits for it for `wait_seconds`.
    """

    def __init__(self, replays: Replays, *, keep_seconds: float = 86_400.0, max_bytes: int = 1_048_576, wait_seconds: float = 10.0) -> None:
        if keep_seconds <= 0 or max_bytes < 0 or wait_seconds < 0:
            raise ValueError("keep_seconds must be more than 0, max_bytes and wait_seconds not less")
        self._replays = replays
        self._keep_seconds = keep_seconds
        self._max_bytes = max_bytes
        self._wait_seconds = wait_seconds

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        """Raises BadRequest for a malformed key, Conflict, and Unavailable where nobody can tell whether it was done before."""
        name = exchange.headers.get(HEADER)
        if name is None or exchange.dry:
            return await call_next(exchange)
        claim = Claim(_owner(exchange.caller, exchange.prompt), _checked(name), _fingerprint(exchange.prompt))
        stored = await self._begin(claim)
        if stored is not None:
            exchange.notes["replayed"] = True
            exchange.reply_headers.update(AGAIN)
            return replay(stored)
        return await self._do(claim, exchange, call_next)

    async def _do(self, claim: Claim, exchange: Exchange, call_next: Next) -> Reply:
        recording: Recording | None = None

        async def settle(outcome: Outcome) -> None:
            try:
                if outcome.status == "complete" and recording is not None:
                    await self._replays.finish(claim, recording.dump())
                else:
                    await self._replays.forget(claim)
            except Unavailable as problem:  # the client has its answer; only a second request would miss it
                LOG.warning("answer not kept", id=exchange.id, problem=problem.message)

        exchange.on_settle(settle)
        reply = await call_next(exchange)
        recording = Recording(reply, self._max_bytes)
        return reply

    async def _begin(self, claim: Claim) -> bytes | None:
        """The answer that there is; None where it is ours to get."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_seconds
        while (stored := await self._replays.begin(claim, self._keep_seconds)) is not None:
            if stored.reply is not None:
                return stored.reply
            if stored.done:
                raise Conflict(
                    "this Idempotency-Key was answered before, and the answer was too large to be kept",
                    headers={"x-should-retry": "false"},
                )
            left = until - loop.time()
            if left <= 0:
                raise Conflict("a request with this Idempotency-Key is under way", headers={"retry-after": "1"})
            await self._replays.wait(claim, left)
        return None


def _checked(name: str) -> str:
    if not 1 <= len(name) <= MOST_NAME or not name.isprintable():
        raise BadRequest(f"Idempotency-Key must be printable, and have 1 to {MOST_NAME} characters")
    return name


def _owner(caller: Caller, prompt: Prompt) -> str:
    """Nobody gets what another one asked, nor an answer in a dialect that he did not ask in. A user's name may be of any length."""
    who = f"key:{caller.key_id}" if caller.key_id else f"user:{sha256(caller.user.encode()).hexdigest()}"
    return f"{prompt.dialect}:{who}"


def _fingerprint(prompt: Prompt) -> bytes:
    asked = [prompt.body, prompt.model, prompt.stream, prompt.session_id, prompt.rag_collection, prompt.rag_top_k]
    return sha256(_canonical(asked)).digest()


def _canonical(data: Any) -> bytes:
    """The same for the same JSON, in whatever order its members came."""
    try:
        return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(data, sort_keys=True).encode()
