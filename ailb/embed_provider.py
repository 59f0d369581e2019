"""Embeddings of a configured provider, in OpenAI's shape: bought once for each text, and paid for by whoever asks.

Source: https://platform.openai.com/docs/api-reference/embeddings
"""

import sys
from array import array
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from math import hypot, isfinite
from secrets import token_hex
from time import monotonic
from typing import Any, Final, Protocol

from ailb import strict
from ailb.dialect import Target
from ailb.embedding import Embedded, Vector
from ailb.errors import Unavailable, UpstreamBroken, UpstreamFailure, UpstreamRefusal
from ailb.ledger import Charge, Hold, Intent, Ledger
from ailb.rates import FREE, Prices
from ailb.usage import Usage

MOST_TEXTS: Final = 96
"""In one request: Cohere takes no more, others do."""

MOST_BYTES: Final = 200_000
"""The same in bytes of text: OpenAI takes 300,000 tokens."""

_NEAR: Final = 1e-4
"""A length that is so near to 1 is left as it is."""


class Sells(Protocol):
    """A provider that has embeddings."""

    async def embeddings(self, model: str, body: bytes) -> bytes:
        """The answer to a request in OpenAI's shape. Raises UpstreamFailure."""


class ProviderEmbedder:
    """An Embedder. Its name is the provider's and the model's, as `openai/text-embedding-3-small`."""

    def __init__(self, provider: Sells, target: Target, ledger: Ledger, prices: Prices, cache: Embedded) -> None:
        self.name = str(target)
        self.dimension: int | None = None
        self._provider = provider
        self._target = target
        self._ledger = ledger
        self._prices = prices
        self._cache = cache

    async def embed(self, texts: Sequence[str], *, user: str = "") -> list[Vector]:
        """Raises Unavailable, BudgetExceeded, Unpriced."""
        keys = [sha256(text.encode(errors="replace")).digest() for text in texts]
        known = dict(await self._cache.find(self.name, keys))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        for part in _parts(missing):
            vectors = await self._bought(list(part.values()), user)
            bought = dict(zip(part, vectors, strict=True))
            with suppress(Unavailable):  # they are there, and paid for
                await self._cache.keep(self.name, bought)
            known |= bought
        self._check(known.values())
        return [known[key] for key in keys]

    def _check(self, vectors: Any) -> None:
        """Raises Unavailable where they are not all of the same dimension, and of the one that was there before."""
        sizes = {len(vector) for vector in vectors}
        expected = self.dimension or next(iter(sizes), None)
        if sizes - {expected}:
            raise Unavailable(f"{self.name} has answered with vectors of another dimension than before")
        self.dimension = expected

    async def _bought(self, texts: Sequence[str], user: str) -> list[Vector]:
        """Held before, charged after, whichever way it ends."""
        hold = await self._ledger.hold(self._intent(texts, user))
        began = monotonic()
        charge = _kept(hold)  # for whoever is cancelled: the provider may have done the work
        try:
            try:
                body = await self._provider.embeddings(self._target.model, _request(self._target.model, texts))
                charge, vectors = self._read(hold, body, len(texts))
                self._check(vectors)
            except UpstreamFailure as failure:
                if not failure.sent or isinstance(failure, UpstreamRefusal):
                    charge = Charge("failed", Usage(), 0, http_status=failure.status, error=failure.code or failure.type)
                raise Unavailable(f"{self.name} cannot embed now: {failure.message}") from failure
        finally:
            self._ledger.settle(hold, charge._replace(latency_ms=round((monotonic() - began) * 1000)))
        return vectors

    def _intent(self, texts: Sequence[str], user: str) -> Intent:
        """A text has no more tokens than bytes, and two more that a model puts around it."""
        tokens = sum(len(text.encode(errors="replace")) + 2 for text in texts)
        provider, model = self._target.provider, self._target.model
        rates = self._prices.rates(self._target)
        return Intent(f"emb_{token_hex(12)}", 1, user, None, provider, model, model, rates, tokens, 0, least_tokens=0)

    def _read(self, hold: Hold, body: bytes, count: int) -> tuple[Charge, list[Vector]]:
        """Raises UpstreamBroken for what is no answer to so many texts."""
        answer = strict.loosely(body)
        rows = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or len(rows) != count or not all(isinstance(row, dict) for row in rows):
            raise UpstreamBroken("the answer is no list of embeddings, one for each text")
        places = [row.get("index", place) for place, row in enumerate(rows)]
        if not all(type(place) is int for place in places) or sorted(places) != list(range(count)):
            raise UpstreamBroken("the embeddings are not numbered from 0, each once")
        vectors: list[Vector] = [()] * count
        for place, row in zip(places, rows, strict=True):
            vectors[place] = _vector(row.get("embedding"))
        return _charge(hold, answer.get("usage")), vectors


def _parts(texts: Mapping[bytes, str]) -> Iterator[dict[bytes, str]]:
    part: dict[bytes, str] = {}
    size = 0
    for key, text in texts.items():
        if part and (len(part) == MOST_TEXTS or size + len(text.encode(errors="replace")) > MOST_BYTES):
            yield part
            part, size = {}, 0
        part[key] = text
        size += len(text.encode(errors="replace"))
    if part:
        yield part


def _request(model: str, texts: Sequence[str]) -> bytes:
    safe = [text.encode(errors="replace").decode() for text in texts]
    return strict.dumps({"model": model, "input": safe, "encoding_format": "float"})


def _vector(given: Any) -> Vector:
    """Numbers, or base64 of 32-bit floats, little-endian. At length 1. Raises UpstreamBroken."""
    values: Sequence[float] = _decoded(given) if isinstance(given, str) else given
    if not isinstance(values, list) or not all(type(value) in (float, int) for value in values):
        raise UpstreamBroken("an embedding is no list of numbers")
    length = hypot(*values)
    if not values or not isfinite(length) or length == 0:
        raise UpstreamBroken("an embedding is empty, zero or not finite")
    if abs(length - 1) < _NEAR:
        return values
    return [value / length for value in values]


def _decoded(text: str) -> list[float]:
    try:
        floats = array("f", b64decode(text, validate=True))
    except ValueError:
        raise UpstreamBroken("an embedding is no base64 of 32-bit floats") from None
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tolist()


def _charge(hold: Hold, reported: Any) -> Charge:
    """What the provider reports, or else what was held."""
    usage = Usage.of_chat(reported) if isinstance(reported, dict) else Usage()
    if not usage.input:
        return _kept(hold, "complete")
    usage = Usage(usage.input)
    rates = hold.intent.rates or FREE
    return Charge("complete", usage, rates.cost(usage), http_status=200)


def _kept(hold: Hold, status: Any = "disconnected") -> Charge:
    return Charge(status, Usage(hold.intent.prompt_tokens), hold.nanos, estimated=True)
