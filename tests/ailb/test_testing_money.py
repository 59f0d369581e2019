import asyncio

import pytest

from ailb.errors import BudgetExceeded, Unpriced
from ailb.ledger import Charge, Intent, Standing
from ailb.rates import Rates
from ailb.testing import TARGET, ask
from ailb.testing_money import NANO_RATES, FixedPrices, MemoryLedger, WordCounter
from ailb.usage import Usage


def intent(prompt: int = 10, output: int = 20, *, rates: Rates | None = NANO_RATES, choices: int = 1, least: int = 1) -> Intent:
    return Intent("req", 1, "ann", None, "fake", "m", "m", rates, prompt, output, least_tokens=least, choices=choices)


@pytest.mark.parametrize(
    ("ledger", "choices", "granted"),
    [
        (MemoryLedger(), 1, 20),
        (MemoryLedger(50), 1, 20),
        (MemoryLedger(49), 1, 19),
        (MemoryLedger(49), 2, 9),
        (MemoryLedger(tokens=15), 1, 5),
        (MemoryLedger(12), 1, 1),
    ],
)
async def test_it_grants_what_is_left(ledger: MemoryLedger, choices: int, granted: int) -> None:
    hold = await ledger.hold(intent(choices=choices))
    assert (granted, 10 + 2 * choices * granted, 10 + choices * granted) == (hold.output_tokens, hold.nanos, hold.tokens)
    assert (hold.nanos, hold.tokens) == (ledger.held, ledger.held_tokens)


@pytest.mark.parametrize(
    ("ledger", "rates", "whole", "error"),
    [
        (MemoryLedger(11), NANO_RATES, False, BudgetExceeded),
        (MemoryLedger(5), NANO_RATES, False, BudgetExceeded),
        (MemoryLedger(49), NANO_RATES, True, BudgetExceeded),
        (MemoryLedger(tokens=10), NANO_RATES, False, BudgetExceeded),
        (MemoryLedger(10**9), None, False, Unpriced),
    ],
)
async def test_it_refuses_as_the_real_one_does(ledger: MemoryLedger, rates: Rates | None, whole: bool, error: type[Exception]) -> None:
    with pytest.raises(error):
        await ledger.hold(intent(rates=rates, least=20 if whole else 1))
    assert {} == ledger.holds


async def test_a_charge_takes_the_place_of_its_hold_once() -> None:
    ledger = MemoryLedger(100, soft=0.4)
    hold = await ledger.hold(intent())
    assert (Standing("budget-1", "key", 50, None, True),) == hold.standings
    for _ in range(2):
        await ledger.settle(hold, Charge("complete", Usage(3, 4), 11))
    assert (11, 7, 0, 1, 89) == (ledger.spent, ledger.spent_tokens, ledger.held, len(ledger.charges), ledger.left)


async def test_whoever_is_cancelled_holds_nothing() -> None:
    ledger = MemoryLedger()
    task = asyncio.ensure_future(ledger.hold(intent()))
    await asyncio.sleep(0)
    assert ledger.held == 50
    task.cancel()
    await asyncio.wait([task])
    assert (True, {}) == (task.cancelled(), ledger.holds)


async def test_without_a_limit_nothing_stands() -> None:
    hold = await MemoryLedger().hold(intent(rates=None))
    assert ((), 0) == (hold.standings, hold.nanos)


async def test_prices_and_words() -> None:
    prices = FixedPrices(most_output=5, context=9)
    assert (NANO_RATES, 5, 9) == (prices.rates(TARGET), prices.most_output(TARGET), prices.context(TARGET))
    assert (2, 3) == (await WordCounter().count("a b"), await WordCounter().count_prompt(ask("one two three").prompt))


@pytest.mark.parametrize("limit", [None, 60, 49, 11])
async def test_a_preview_is_what_a_hold_would_be_and_holds_nothing(limit: int | None) -> None:
    ledger = MemoryLedger(limit)
    preview = await ledger.preview(intent())
    assert ({}, 0, []) == (ledger.holds, ledger.held, ledger.charges)
    if limit == 11:
        assert isinstance(preview.refusal, BudgetExceeded)
        assert [11] == [standing.left_nanos for standing in preview.hold.standings]
        return
    hold = await ledger.hold(intent())
    assert (hold.nanos, hold.output_tokens, hold.standings) == (preview.hold.nanos, preview.hold.output_tokens, preview.hold.standings)
