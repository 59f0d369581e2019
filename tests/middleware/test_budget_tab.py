"""Holds, caps and what the client is told of them."""

from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from ailb.clients.messages_prompt import MessagesPrompt
from ailb.clients.ollama_prompt import OllamaPrompt
from ailb.errors import BudgetExceeded, UpstreamBroken, UpstreamRefusal
from ailb.exchange import Exchange
from ailb.prompt import Prompt
from ailb.testing_money import FixedPrices, MemoryLedger, WordCounter
from ailb.usage import Usage
from tests.middleware.paying import COST, House, Scripted, asking, chunks, prompt_bound, whole

CLAMPED, LEFT, WARNING = "x-ailb-max-tokens-clamped", "x-ailb-budget-remaining-usd", "x-ailb-budget-warning"


def room(exchange: Exchange, output: int) -> MemoryLedger:
    """A budget for this prompt and so many tokens of output."""
    return MemoryLedger(prompt_bound(exchange) + 2 * output)


@pytest.mark.parametrize("cap", ["max_tokens", "max_completion_tokens"])
async def test_what_is_left_caps_the_answer(cap: str) -> None:
    exchange = asking(**{cap: 100})
    house = House(room(exchange, 7), a=Scripted(chunks("Hi")))
    result = await house.serve(exchange)
    assert [7] == [body[cap] for body in house.providers["a"].bodies]
    assert ("7", 7) == (result.exchange.reply_headers[CLAMPED], result.exchange.notes["clamped"])


async def test_what_fits_goes_out_as_it_came() -> None:
    exchange = asking(max_tokens=100)
    before = dict(exchange.prompt.body)
    house = House(room(exchange, 100), a=Scripted(chunks("Hi")))
    result = await house.serve(exchange)
    assert [before] == house.providers["a"].bodies
    assert CLAMPED not in result.exchange.reply_headers


@pytest.mark.parametrize("choices", [1, 2, 3])
async def test_every_choice_is_paid_for(choices: int) -> None:
    exchange = asking(max_tokens=100, n=choices)
    house = House(room(exchange, 12), a=Scripted(chunks("Hi")))
    await house.serve(exchange)
    ((hold, _),) = house.ledger.charges
    assert (12 // choices, choices) == (hold.output_tokens, hold.intent.choices)
    assert 12 // choices == house.providers["a"].bodies[0]["max_tokens"]


async def test_a_prompt_is_counted_before_its_bound_refuses_it() -> None:
    exchange = asking(max_tokens=5)
    counted = await WordCounter().count_prompt(exchange.prompt)
    assert counted < prompt_bound(exchange)
    enough = House(MemoryLedger(counted + 2 * 5), a=Scripted(chunks("Hi")))
    assert (await enough.serve(exchange)).refusal is None
    assert [counted] == [hold.intent.prompt_tokens for hold, _ in enough.ledger.charges]
    less = House(MemoryLedger(counted + 1), a=Scripted(chunks("Hi")))
    assert isinstance((await less.serve(asking(max_tokens=5))).refusal, BudgetExceeded)
    assert [] == less.ledger.charges


class ByProvider(FixedPrices):
    """The first one has ten times the price."""

    def rates(self, target: Any, tier: str = "") -> Any:
        rates = super().rates(target, tier)
        return rates.times(10, 1) if rates and target.provider == "a" else rates


async def test_the_next_target_is_asked_for_what_the_client_wanted() -> None:
    exchange = asking(max_tokens=100)
    ledger = MemoryLedger(prompt_bound(exchange) * 10 + 40)
    house = House(ledger, ByProvider(), a=Scripted(UpstreamRefusal(500, "down")), b=Scripted(chunks("Hi")))
    result = await house.serve(exchange)
    assert [2, 100] == [provider.bodies[0]["max_tokens"] for provider in house.providers.values()]
    assert (100, False) == (result.exchange.prompt.output_cap, CLAMPED in result.exchange.reply_headers)


@pytest.mark.parametrize(
    ("prompt", "path"),
    [
        (Prompt({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}, {}), ["max_tokens"]),
        (MessagesPrompt({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}, {}), ["max_tokens"]),
        (
            OllamaPrompt({"model": "m", "options": {"num_predict": 100}, "messages": [{"role": "user", "content": "Hi"}]}, {}),
            ["options", "num_predict"],
        ),
    ],
    ids=["chat", "messages", "ollama"],
)
async def test_every_dialects_cap_is_put_back(prompt: Prompt, path: list[str]) -> None:
    before = orjson.dumps(prompt.body)
    exchange = Exchange(prompt, id="req")
    ledger = MemoryLedger(prompt_bound(exchange) * 10 + 40)
    house = House(ledger, ByProvider(most_output=50), a=Scripted(UpstreamRefusal(500, "down")), b=Scripted(chunks("Hi")))
    await house.serve(exchange)
    capped: Any = house.providers["a"].bodies[0]
    for name in path:
        capped = capped[name]
    assert 2 == capped
    assert [before] == [orjson.dumps(body) for body in house.providers["b"].bodies]
    assert before == orjson.dumps(prompt.body)


@pytest.mark.parametrize(
    ("cap", "most", "held"), [(None, None, 300), (None, 200, 200), (None, 5000, 300), (100, None, 100), (100, 50, 50), (1000, None, 1000)]
)
async def test_how_much_is_held_without_a_limit(cap: int | None, most: int | None, held: int) -> None:
    house = House(MemoryLedger(), FixedPrices(most_output=most), a=Scripted(chunks("Hi")))
    house.options = {"output_tokens": 300}
    exchange = asking(**({"max_tokens": cap} if cap else {}))
    before = dict(exchange.prompt.body)
    await house.serve(exchange)
    assert [held] == [hold.intent.output_tokens for hold, _ in house.ledger.charges]
    assert [before] == house.providers["a"].bodies


async def test_who_says_no_cap_is_capped_at_what_is_held() -> None:
    house = House(MemoryLedger(10**9), FixedPrices(most_output=100_000), a=Scripted(chunks("Hi")))
    house.options = {"output_tokens": 300}
    result = await house.serve()
    assert ([300], "300") == ([b["max_tokens"] for b in house.providers["a"].bodies], result.exchange.reply_headers[CLAMPED])


async def test_a_model_that_stops_by_itself_is_not_capped() -> None:
    house = House(MemoryLedger(10**9), FixedPrices(most_output=200), a=Scripted(chunks("Hi")))
    result = await house.serve()
    assert "max_tokens" not in house.providers["a"].bodies[0]
    assert CLAMPED not in result.exchange.reply_headers


async def test_a_cap_of_zero_holds_for_the_prompt() -> None:
    prompt = MessagesPrompt({"model": "m", "max_tokens": 0, "messages": [{"role": "user", "content": "Hi"}]}, {})
    house = House(MemoryLedger(10**6), a=Scripted(whole("", Usage(4, 0))))
    await house.serve(Exchange(prompt, id="req"))
    assert [("a", "complete", 4, False)] == house.rows


async def test_a_prompt_is_never_longer_than_what_the_model_can_be_given() -> None:
    house = House(MemoryLedger(10**6), FixedPrices(context=500), a=Scripted(chunks("Hi")))
    await house.serve(asking("x" * 10_000, max_tokens=5))
    assert [500] == [hold.intent.prompt_tokens for hold, _ in house.ledger.charges]


@pytest.mark.parametrize(
    ("body", "tier"), [({}, ""), ({"service_tier": "flex"}, "flex"), ({"service_tier": 5}, ""), ({"service_tier": None}, "")]
)
async def test_the_price_is_the_one_of_the_tier(body: dict[str, Any], tier: str) -> None:
    seen: list[str] = []

    class Asked(FixedPrices):
        def rates(self, target: Any, tier: str = "") -> Any:
            seen.append(tier)
            return super().rates(target, tier)

    await House(MemoryLedger(), Asked(), a=Scripted(chunks("Hi"))).serve(asking(**body))
    assert [tier] == seen


async def test_who_asks_is_in_the_intent() -> None:
    exchange = asking(max_tokens=9, session_id="s-1")
    exchange.caller.user = "ann"
    house = House(a=Scripted(chunks("Hi")))
    await house.serve(exchange)
    ((hold, _),) = house.ledger.charges
    intent = hold.intent
    assert ("req_test", 1, "ann", None, "a", "m", "m", "s-1") == (
        intent.request_id,
        intent.attempt,
        intent.user,
        intent.key_id,
        intent.provider,
        intent.model,
        intent.asked,
        intent.session_id,
    )


@pytest.mark.parametrize(("limit", "warning"), [(100_000, None), (1200, "key")])
async def test_a_soft_limit_is_told(limit: int, warning: str | None) -> None:
    house = House(MemoryLedger(limit), a=Scripted(chunks("Hi")))
    result = await house.serve(asking(max_tokens=10))
    exchange = result.exchange
    assert (warning, warning) == (exchange.reply_headers.get(WARNING), exchange.notes.get("budget_warning"))
    assert LEFT in exchange.reply_headers


async def test_a_whole_answer_has_its_cost_in_a_header() -> None:
    house = House(a=Scripted(whole("Hi")))
    result = await house.serve(asking(stream=False))
    assert "0.000000019" == result.exchange.reply_headers["x-ailb-cost-usd"]
    assert COST == result.exchange.cost == 19


async def test_the_cost_is_that_of_all_attempts() -> None:
    house = House(a=Scripted(UpstreamBroken("html")), b=Scripted(whole("Hi")))
    result = await house.serve(asking(stream=False))
    assert ("0.000000022", 22) == (result.exchange.reply_headers["x-ailb-cost-usd"], result.exchange.cost)


@pytest.mark.parametrize("wants", [True, False])
async def test_a_stream_has_its_cost_in_its_last_chunk_for_those_who_asked(wants: bool) -> None:
    script = chunks("Hi", wants=wants)
    house = House(a=Scripted(script))
    result = await house.serve(asking(**({} if wants else {"stream_options": None})))
    assert "x-ailb-cost-usd" not in result.exchange.reply_headers
    if wants:
        assert script[:-1] == result.events[:-1]
        assert b'"cost":0.000000019' in result.events[-1].raw
        assert orjson.loads(result.events[-1].raw[6:])["usage"]["prompt_tokens"] == 5
    else:
        assert all(b"cost" not in event.raw for event in result.events)


@pytest.mark.parametrize(("problem", "level"), [(ValueError("a bug"), "error"), (TimeoutError(), "warning")])
async def test_what_cannot_be_counted_is_estimated(problem: Exception, level: str) -> None:
    class Broken(WordCounter):
        async def count(self, text: str, model: str = "") -> int:
            raise problem

    house = House(a=Scripted(chunks("Hi", usage=None)))
    house.counter = Broken()
    exchange = asking(max_tokens=10)
    with capture_logs() as lines:
        await house.serve(exchange)
    assert [("a", "complete", prompt_bound(exchange) + 2, True)] == house.rows
    assert [(level, "tokens counted roughly")] == [(line["log_level"], line["event"]) for line in lines]


async def test_an_estimate_is_on_the_log_line() -> None:
    result = await House(a=Scripted(chunks("Hi", usage=None))).serve()
    assert result.exchange.notes["cost_estimated"] is True
