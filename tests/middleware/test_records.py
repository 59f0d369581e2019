from typing import Any

import orjson
import pytest

from ailb.clients.messages_prompt import MessagesPrompt
from ailb.errors import BadRequest
from ailb.exchange import Attempt, Exchange, Reply
from ailb.records import Records as Kept
from ailb.stack import Innermost, Next
from ailb.testing import TARGET, StillClock, answers, ask, refuses, run
from ailb.testing_money import FixedPrices, MemoryLedger, WordCounter
from ailb.usage import Usage
from middleware.budget import Budget
from middleware.records import MOST_PROMPT, Records


class Naming:
    """Who asks is known only behind it."""

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        exchange.caller.user = "ann"
        exchange.record["candidates"] = [{"provider": "fake", "kept": True}]
        return await call_next(exchange)


async def kept(exchange: Exchange, innermost: Any = None, **options: Any) -> Any:
    records = Kept()
    await run([Records(records, StillClock(), **options), Naming()], exchange, innermost or answers("Hi", usage=Usage(7, 5)))
    assert records.find("req_test", "anonymous") is None
    record = records.find("req_test", "ann")
    return None if record is None else orjson.loads(record)


async def test_a_request_is_kept_with_what_the_layers_said_of_it() -> None:
    record = await kept(ask("Who am I?"))
    assert ("complete", 200, "ann", 7) == (record["outcome"], record["status"], record["caller"]["user"], record["usage"]["input"])
    assert [{"provider": "fake", "kept": True}] == record["candidates"]
    assert record["at"].startswith("2023-11-14T22:13:20")
    assert "Who am I?" not in str(record)


async def test_a_refusal_is_kept_too() -> None:
    record = await kept(ask(), refuses(BadRequest("no", code="odd")))
    assert ("refused", 400, "odd") == (record["outcome"], record["status"], record["error"])


async def test_what_is_only_explained_is_not_kept() -> None:
    exchange = ask()
    exchange.dry = True
    assert None is await kept(exchange)


async def test_a_conversation_is_kept_where_somebody_wants_that() -> None:
    prompt = (await kept(ask("Who am I?"), prompts=True))["prompt"]
    assert [{"role": "user", "content": "Who am I?"}] == orjson.loads(prompt["messages"])
    assert len(prompt["messages"]) == prompt["bytes"]


async def test_a_long_conversation_is_cut() -> None:
    prompt = (await kept(ask("ä" * MOST_PROMPT), prompts=True))["prompt"]
    assert MOST_PROMPT - 2 <= len(prompt["messages"].encode()) <= MOST_PROMPT < prompt["bytes"]
    assert prompt["messages"].endswith("ä")


async def test_a_conversation_that_only_its_own_dialect_can_say_is_kept_as_it_is() -> None:
    exchange = ask()
    said = [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}]
    exchange.prompt = MessagesPrompt({"model": "m", "max_tokens": 9, "system": "Be kind.", "messages": said}, {})
    record = await kept(exchange, prompts=True)
    assert [{"role": "system", "content": "Be kind."}, *said] == orjson.loads(record["prompt"]["messages"])


async def test_what_it_cost_is_settled_before() -> None:
    records, exchange = Kept(), ask()
    budget = Budget(MemoryLedger(), FixedPrices(), WordCounter())

    async def provider(exchange: Exchange, attempt: Attempt) -> Reply:
        return await answers("Hi", usage=Usage(7, 5))(exchange)

    exchange.target = TARGET
    await run([Records(records, StillClock()), budget], exchange, Innermost({"fake": provider}))
    record = orjson.loads(records.find("req_test") or b"")
    assert 17e-9 == record["cost"]["usd"] == record["cost"]["lines"][0]["usd"]
    assert record["holds"][0]["rates"] == record["cost"]["lines"][0]["rates"]


async def test_no_more_than_that_are_kept() -> None:
    records = Kept()
    layer = Records(records, StillClock(), keep=2)
    for number in range(4):
        exchange = ask()
        exchange.id = str(number)
        await run(layer, exchange, answers("Hi"))
    assert [False, False, True, True] == [records.find(str(number)) is not None for number in range(4)]


@pytest.mark.parametrize("keep", [0, -1, 100_001])
def test_a_number_that_makes_no_sense_is_refused(keep: int) -> None:
    with pytest.raises(ValueError, match="keep must be from 1 to"):
        Records(Kept(), StillClock(), keep=keep)
