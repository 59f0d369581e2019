"""What an explained request says about money, and that it takes none."""

from typing import Any

import pytest

from ailb.errors import BudgetExceeded, Unpriced, UpstreamRefusal
from ailb.ledger import Hold, Intent, Standing
from ailb.money import NANO
from ailb.rates import Rates
from ailb.testing import ask
from ailb.testing_money import FixedPrices, MemoryLedger
from middleware.budget_record import note
from tests.middleware.paying import House, Scripted, asking, chunks, prompt_bound

MILLION = Rates(input=3 * NANO, output=15 * NANO, cache_read=NANO // 2, request=NANO // 100)
"""$3 and $15 a million tokens, and a cent for each request."""


def intent(**more: Any) -> Intent:
    given: dict[str, Any] = {"rates": MILLION, "prompt_tokens": 10, "output_tokens": 20, **more}
    return Intent("req_1", 1, "ann", None, "p", "m", "m", **given)


def noted(hold: Hold, *more: Any, **options: Any) -> Any:
    exchange = ask()
    note(exchange, hold, *more, **options)
    (entry,) = exchange.record["holds"]()
    return entry


def test_amounts_are_dollars() -> None:
    standing = Standing("bud_1", "key", 1_500_000_000, None, True)
    assert {
        "attempt": 1,
        "provider": "p",
        "model": "m",
        "prompt_tokens": 10,
        "output_tokens": 20,
        "choices": 1,
        "worst_usd": 0.25,
        "capped": True,
        "refused": None,
        "rates": {"input": 3.0, "output": 15.0, "cache_read": 0.5, "cache_write": 3.0, "request": 0.01},
        "budgets": [{"id": "bud_1", "scope": "key", "left_usd": 1.5, "left_tokens": None, "warning": True, "refuses": False}],
    } == noted(Hold("h", intent(), NANO // 4, 30, 20, (standing,)), capped=True)


def test_tiers_are_told_and_so_is_that_nobody_knows_the_price() -> None:
    tiered = Rates(input=NANO, output=NANO, tiers=((1000, Rates(input=2 * NANO, output=3 * NANO)),))
    (tier,) = noted(Hold("h", intent(rates=tiered), 0, 0, 0))["rates"]["tiers"]
    assert (1000, 2.0, 3.0) == (tier["above"], tier["input"], tier["output"])
    unknown = noted(Hold("", intent(rates=None), 0, 0, 0, (Standing("b", "key", 9, None, False),)), Unpriced("who knows"))
    assert (None, None, "price_unknown") == (unknown["rates"], unknown["worst_usd"], unknown["refused"])
    assert [True] == [budget["refuses"] for budget in unknown["budgets"]]


def test_the_budget_that_refuses_is_named() -> None:
    least = MILLION.worst(10, 1)
    standings = [(least, None), (least - 1, None), (None, 11), (None, 10), (None, None)]
    hold = Hold("", intent(), 0, 0, 0, tuple(Standing("b", "key", *left, False) for left in standings))
    entry = noted(hold, BudgetExceeded())
    assert ("budget_exceeded", [False, True, False, True, False]) == (entry["refused"], [one["refuses"] for one in entry["budgets"]])


async def test_a_request_has_a_hold_for_each_attempt_in_its_record() -> None:
    house = House(MemoryLedger(1_000_000), a=Scripted(UpstreamRefusal(500, "down")), b=Scripted(chunks("Hi")))
    result = await house.serve(asking(max_tokens=100))
    holds = result.exchange.record["holds"]()
    assert [(1, "a"), (2, "b")] == [(hold["attempt"], hold["provider"]) for hold in holds]
    assert [hold.nanos / NANO for hold, _ in house.ledger.charges] == [hold["worst_usd"] for hold in holds]


async def test_a_request_that_is_refused_says_so_in_its_record() -> None:
    house = House(MemoryLedger(1), a=Scripted(chunks("Hi")))
    result = await house.serve()
    assert isinstance(result.refusal, BudgetExceeded)
    assert ["budget_exceeded"] == [hold["refused"] for hold in result.exchange.record["holds"]()]


@pytest.mark.parametrize("limit", [None, 10_000, 40, 1])
async def test_what_is_only_explained_says_what_a_request_would_and_takes_nothing(limit: int | None) -> None:
    explained, served = asking(max_tokens=100), asking(max_tokens=100)
    explained.dry = True
    house = House(MemoryLedger(limit), a=Scripted(chunks("Hi")))
    dry = await house.serve(explained)
    ledger = house.ledger
    assert ([], {}, [], 0) == (house.providers["a"].bodies, ledger.holds, ledger.charges, ledger.spent)
    assert ([], None, {}) == (explained.attempts, explained.cost, explained.reply_headers)
    real = await house.serve(served)
    assert type(dry.refusal) is type(real.refusal)
    (before,), (after,) = explained.record["holds"](), served.record["holds"]()
    if real.refusal is None:
        assert before == after
    else:
        assert [1 / NANO] == [budget.pop("left_usd") for budget in before["budgets"] if budget["refuses"]]
        assert {**before, "budgets": []} == {**after, "budgets": []}


async def test_a_prompt_is_counted_before_an_explanation_says_that_it_does_not_fit() -> None:
    exchange = asking(max_tokens=5)
    exchange.dry = True
    result = await House(MemoryLedger(20), a=Scripted(chunks("Hi"))).serve(exchange)
    (hold,) = exchange.record["holds"]()
    assert (None, None, True) == (result.refusal, hold["refused"], hold["prompt_tokens"] < prompt_bound(exchange))


async def test_an_explanation_says_that_nobody_knows_the_price() -> None:
    exchange = asking()
    exchange.dry = True
    result = await House(MemoryLedger(1000), FixedPrices(None), a=Scripted(chunks("Hi"))).serve(exchange)
    assert isinstance(result.refusal, Unpriced)
    assert ["price_unknown"] == [hold["refused"] for hold in exchange.record["holds"]()]
