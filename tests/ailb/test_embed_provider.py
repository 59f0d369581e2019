import asyncio
import struct
from base64 import b64encode
from collections.abc import Mapping, Sequence
from math import hypot
from typing import Any

import orjson
import pytest

from ailb.dialect import Target
from ailb.embed_provider import MOST_BYTES, MOST_TEXTS, ProviderEmbedder
from ailb.embedding import Vector
from ailb.errors import BudgetExceeded, Unavailable, Unpriced, UpstreamBroken, UpstreamFailure, UpstreamRefusal, UpstreamSilent
from ailb.testing_money import FixedPrices, MemoryLedger

TARGET = Target("shop", "small")


class Memory:
    """A cache. `broken`: nothing can be written down."""

    def __init__(self, *, broken: bool = False) -> None:
        self.kept: dict[tuple[str, bytes], Vector] = {}
        self.broken = broken

    async def find(self, embedder: str, hashes: Sequence[bytes]) -> Mapping[bytes, Vector]:
        return {hash: self.kept[embedder, hash] for hash in hashes if (embedder, hash) in self.kept}

    async def keep(self, embedder: str, vectors: Mapping[bytes, Vector]) -> None:
        if self.broken:
            raise Unavailable("no store")
        self.kept |= {(embedder, hash): vector for hash, vector in vectors.items()}


class Shop:
    """A provider whose vector of a text is its length and 1; or what `answer` says, or raises."""

    def __init__(self, answer: Any = None, *, usage: Any = None) -> None:
        self.answer = answer
        self.usage = usage
        self.asked: list[list[str]] = []

    async def embeddings(self, model: str, body: bytes) -> bytes:
        request = orjson.loads(body)
        assert ("small", "float") == (request["model"], request["encoding_format"])
        self.asked.append(request["input"])
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer if isinstance(self.answer, bytes) else orjson.dumps(self.answer)
        rows = [{"index": place, "embedding": [len(text), 1]} for place, text in enumerate(request["input"])]
        return orjson.dumps({"data": rows[::-1], "usage": self.usage or {"prompt_tokens": 7, "total_tokens": 7}})


def embedder(shop: Any, ledger: MemoryLedger | None = None, cache: Memory | None = None, **prices: Any) -> ProviderEmbedder:
    return ProviderEmbedder(shop, TARGET, ledger or MemoryLedger(), FixedPrices(**prices), cache or Memory())


def rows(*vectors: Any) -> dict[str, Any]:
    return {"data": [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]}


async def test_each_text_gets_its_vector_at_length_1_in_whatever_order_they_come() -> None:
    made = embedder(Shop())
    short, long = await made.embed(["a", "abc"])
    assert pytest.approx([0.5**0.5, 0.5**0.5]) == short
    assert pytest.approx([3 / 10**0.5, 1 / 10**0.5]) == long
    assert ("shop/small", 2) == (made.name, made.dimension)


async def test_what_was_embedded_before_is_not_asked_for_again_nor_twice_at_once() -> None:
    shop, ledger = Shop(), MemoryLedger()
    made = embedder(shop, ledger)
    first = await made.embed(["a", "b", "a"])
    again = await made.embed(["b", "a"])
    assert [["a", "b"]] == shop.asked
    assert (first[0], first[1]) == (again[1], again[0])
    assert first[0] == first[2]
    assert 1 == len(ledger.charges)


async def test_the_caller_pays_what_the_provider_counted() -> None:
    ledger = MemoryLedger()
    await embedder(Shop(usage={"prompt_tokens": 5}), ledger).embed(["four", "five"], user="ann")
    ((hold, charge),) = ledger.charges
    intent = hold.intent
    assert ("ann", "shop", "small", "small", 0, 12) == (
        intent.user,
        intent.provider,
        intent.model,
        intent.asked,
        intent.output_tokens,
        intent.prompt_tokens,
    )
    assert ("complete", 5, 0, 5, False) == (charge.status, charge.usage.input, charge.usage.output, charge.nanos, charge.estimated)
    assert 5 == ledger.spent
    assert {} == ledger.holds


async def test_where_nobody_counted_the_hold_is_kept() -> None:
    ledger = MemoryLedger()
    await embedder(Shop(rows([1.0])), ledger).embed(["four"])
    ((hold, charge),) = ledger.charges
    assert (6, hold.nanos, True) == (charge.usage.input, charge.nanos, charge.estimated)


@pytest.mark.parametrize(
    ("failure", "nanos", "status"),
    [
        (UpstreamRefusal(429, "too many"), 0, "failed"),
        (UpstreamSilent("no connection"), 6, "disconnected"),
        (UpstreamBroken("cut"), 6, "disconnected"),
    ],
)
async def test_a_failure_is_told_and_costs_what_it_may_have(failure: UpstreamFailure, nanos: int, status: str) -> None:
    ledger = MemoryLedger()
    with pytest.raises(Unavailable, match=f"shop/small cannot embed now: {failure.message}"):
        await embedder(Shop(failure), ledger).embed(["four"])
    assert [(nanos, status)] == [(charge.nanos, charge.status) for _, charge in ledger.charges]


async def test_a_request_that_never_left_costs_nothing() -> None:
    ledger, silent = MemoryLedger(), UpstreamSilent("no connection")
    silent.sent = False
    with pytest.raises(Unavailable):
        await embedder(Shop(silent), ledger).embed(["four"])
    assert 0 == ledger.spent
    assert {} == ledger.holds


async def test_whoever_is_cancelled_pays_for_the_worst() -> None:
    begun = asyncio.Event()

    class Slow:
        async def embeddings(self, model: str, body: bytes) -> bytes:
            begun.set()
            await asyncio.Event().wait()
            return b""

    ledger = MemoryLedger()
    task = asyncio.create_task(embedder(Slow(), ledger).embed(["four"]))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(6, True)] == [(charge.nanos, charge.estimated) for _, charge in ledger.charges]


async def test_who_cannot_pay_is_refused_before_anybody_is_asked() -> None:
    shop = Shop()
    with pytest.raises(BudgetExceeded):
        await embedder(shop, MemoryLedger(3)).embed(["four"])
    with pytest.raises(Unpriced):
        await embedder(shop, MemoryLedger(3), rates=None).embed(["four"])
    assert [] == shop.asked


async def test_what_cannot_be_written_down_is_there_all_the_same() -> None:
    assert [[1.0]] == await embedder(Shop(rows([1.0])), cache=Memory(broken=True)).embed(["a"])


async def test_base64_is_read_too() -> None:
    packed = b64encode(struct.pack("<2f", 3.0, 4.0)).decode()
    (vector,) = await embedder(Shop(rows(packed))).embed(["a"])
    assert pytest.approx([0.6, 0.8]) == vector
    assert pytest.approx(1) == hypot(*vector)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        {"data": []},
        {"data": [1]},
        rows([1.0], [1.0]),
        {"data": [{"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": "0", "embedding": [1.0]}]},
        rows(None),
        rows([]),
        rows([0.0, 0.0]),
        rows(["1"]),
        rows([True]),
        rows("no base64"),
        rows(b64encode(b"abc").decode()),
        rows(b64encode(struct.pack("<2f", float("nan"), 1)).decode()),
        rows(b64encode(struct.pack("<2f", float("inf"), 1)).decode()),
        rows([1e308, 1e308, 1e308, 1e308]),
    ],
)
async def test_what_is_no_vector_is_never_kept(answer: Any) -> None:
    cache = Memory()
    with pytest.raises(Unavailable, match="cannot embed now"):
        await embedder(Shop(answer), cache=cache).embed(["a"])
    assert {} == cache.kept


async def test_nor_is_one_of_another_dimension() -> None:
    shop, cache = Shop(rows([1.0, 0.0])), Memory()
    made = embedder(shop, cache=cache)
    await made.embed(["a"])
    shop.answer = rows([1.0, 0.0, 0.0])
    with pytest.raises(Unavailable, match="another dimension"):
        await made.embed(["b"])
    assert 1 == len(cache.kept)


@pytest.mark.parametrize(("texts", "requests"), [(MOST_TEXTS, 1), (MOST_TEXTS + 1, 2)])
async def test_many_go_out_in_several_requests(texts: int, requests: int) -> None:
    shop = Shop()
    made = await embedder(shop).embed([str(number) for number in range(texts)])
    assert (texts, requests) == (len(made), len(shop.asked))


async def test_so_do_long_ones() -> None:
    shop = Shop()
    await embedder(shop).embed(["x" * MOST_BYTES, "y", "z"])
    assert [1, 2] == [len(asked) for asked in shop.asked]


async def test_half_of_a_character_goes_out_as_a_question_mark() -> None:
    shop = Shop()
    await embedder(shop).embed(["\ud800"])
    assert [["?"]] == shop.asked
