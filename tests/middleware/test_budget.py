"""What every ending costs (FAULTS A4, A10, A11, A13, A14, A15, A22)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.dialect import Event
from ailb.errors import BadRequest, BudgetExceeded, Unavailable, Unpriced, UpstreamBroken, UpstreamRefusal, UpstreamSilent, UpstreamStalled
from ailb.exchange import Attempt, Exchange, Outcome, Reply
from ailb.ledger import Hold, Intent
from ailb.rates import FREE, Rates
from ailb.stack import Next, stack
from ailb.testing_money import FixedPrices, MemoryLedger
from ailb.usage import Usage
from tests.middleware.paying import COST, USAGE, House, Pessimist, Scripted, asking, chunks, prompt_bound, whole

OUTPUT = 2
"""Nano-dollars for a token of an answer; one of a prompt costs 1, and the prompt has three words."""

DOWN, BUSY = UpstreamRefusal(500, "down"), UpstreamRefusal(429, "slow down")
LATE, CUT = UpstreamSilent("no answer within 1 seconds"), UpstreamBroken("html")
UNFIT = BadRequest("logprobs: no word for it")


def unreachable() -> UpstreamSilent:
    silent = UpstreamSilent("no connection: refused")
    silent.sent = False
    return silent


ENDINGS: dict[str, tuple[Any, dict[str, Any], list[tuple[Any, ...]]]] = {
    "complete": (chunks("Hi", "there"), {}, [("a", "complete", COST, False)]),
    "complete, whole": (whole("Hi there"), {"stream": False}, [("a", "complete", COST, False)]),
    "nothing said, zero usage": (chunks(usage=Usage()), {}, [("a", "complete", 0, False)]),
    "usage absent": (chunks("Hi ", "there ", "you", usage=None), {}, [("a", "complete", 3 + 3 * OUTPUT, True)]),
    "usage absent, whole": (whole("Hi there", None), {"stream": False}, [("a", "complete", 3 + 2 * OUTPUT, True)]),
    "usage all zero": (chunks("Hi ", "there", usage=Usage()), {}, [("a", "complete", 3 + 2 * OUTPUT, True)]),
    "usage all zero, whole": (whole("Hi there", Usage()), {"stream": False}, [("a", "complete", 3 + 2 * OUTPUT, True)]),
    "no output reported": (chunks("Hi ", "there", usage=Usage(9, 0)), {}, [("a", "complete", 3 + 2 * OUTPUT, True)]),
    "no input reported": (chunks("Hi ", "there", usage=Usage(0, 9)), {}, [("a", "complete", 3 + 9 * OUTPUT, True)]),
    "usage twice": ([*chunks("Hi", usage=Usage(5, 1)), *chunks("there")[-1:]], {}, [("a", "complete", COST, False)]),
    "usage before the end": (
        [*chunks("Hi", usage=Usage(5, 1)), *chunks("there ", "you", usage=None)],
        {},
        [("a", "complete", 5 + 3 * OUTPUT, True)],
    ),
    "refused": (BUSY, {}, [("a", "failed", 0, False)]),
    "unreachable": (unreachable(), {}, [("a", "failed", 0, False)]),
    "unfit": (UNFIT, {}, [("a", "failed", 0, False)]),
    "late": (LATE, {}, [("a", "failed", 3, True)]),
    "late, whole": (LATE, {"stream": False}, [("a", "failed", 3, True)]),
    "no answer": (CUT, {}, [("a", "failed", 3, True)]),
    "broken": ([*chunks("Hi ", "there")[:3], UpstreamBroken("cut")], {}, [("a", "broken", 3 + 2 * OUTPUT, True)]),
    "stalled": ([*chunks("Hi ", "there")[:2], UpstreamStalled("silent")], {}, [("a", "broken", 3 + OUTPUT, True)]),
    "refused inside": ([*chunks("Hi")[:2], UpstreamRefusal(429, "x")], {}, [("a", "broken", 3 + OUTPUT, True)]),
    "broken after the usage": ([*chunks("Hi"), UpstreamBroken("cut")], {}, [("a", "broken", COST, False)]),
}


@pytest.mark.parametrize(("script", "body", "rows"), ENDINGS.values(), ids=ENDINGS.keys())
async def test_what_an_ending_costs(script: Any, body: dict[str, Any], rows: list[tuple[Any, ...]]) -> None:
    house = House(a=Scripted(script))
    result = await house.serve(asking(**body))
    assert rows == house.rows
    house.check(result.exchange)


TEXTS = [f"word{number} " for number in range(10)]


@pytest.mark.parametrize("k", [0, 1, len(TEXTS) // 2, len(TEXTS) - 1])
async def test_a_client_that_leaves_pays_for_what_it_got(k: int) -> None:
    house = House(a=Scripted(chunks(*TEXTS)))
    result = await house.serve(leave_after=1 + k)  # the first event has the role
    assert [("a", "disconnected", 3 + k * OUTPUT, True)] == house.rows
    assert [k] == [charge.usage.output for _, charge in house.ledger.charges]
    house.check(result.exchange)


async def test_a_client_that_leaves_after_the_usage_pays_exactly() -> None:
    script = chunks("Hi")
    house = House(a=Scripted(script))
    await house.serve(leave_after=len(script))
    assert [("a", "disconnected", COST, False)] == house.rows


@pytest.mark.parametrize(
    ("first", "cost", "estimated"), [(DOWN, 0, False), (unreachable(), 0, False), (UNFIT, 0, False), (LATE, 3, True), (CUT, 3, True)]
)
async def test_each_attempt_has_its_row_and_a_hold_moves(first: Exception, cost: int, estimated: bool) -> None:
    house = House(a=Scripted(first), b=Scripted(chunks("Hi")))
    result = await house.serve()
    assert [("a", "failed", cost, estimated), ("b", "complete", COST, False)] == house.rows
    assert ([1], [1]) == (house.providers["a"].held, house.providers["b"].held)
    house.check(result.exchange)


async def test_when_nobody_answers_every_attempt_is_a_failed_one() -> None:
    house = House(a=Scripted(DOWN), b=Scripted(BUSY))
    result = await house.serve()
    assert [("a", "failed", 0, False), ("b", "failed", 0, False)] == house.rows
    assert [(500, "server_error"), (429, "rate_limit_error")] == [(c.http_status, c.error) for _, c in house.ledger.charges]
    assert result.outcome.status == "refused"
    house.check(result.exchange)


@pytest.mark.parametrize("everywhere", [True, False])
async def test_what_another_layer_refuses_when_it_is_held_never_left(everywhere: bool) -> None:
    class Refusing:
        async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
            def refuse(attempt: Attempt) -> None:
                if everywhere or attempt.target.provider == "a":
                    raise BadRequest("not this one")

            exchange.on_attempt(refuse)
            return await call_next(exchange)

    house = House(a=Scripted(chunks("Hi")), b=Scripted(chunks("Hi")))
    house.between = [Refusing()]
    await house.serve()
    rows = [("b", "failed", 0, False)] if everywhere else [("b", "complete", COST, False)]
    assert [("a", "failed", 0, False), *rows] == house.rows
    assert [1, 2] == [hold.intent.attempt for hold, _ in house.ledger.charges]
    assert {} == house.ledger.holds


class ByProvider(FixedPrices):
    def rates(self, target: Any, tier: str = "") -> Rates | None:
        return {"a": Rates(10_000_000, 10_000_000), "b": Rates(1_000_000, 1_000_000), "c": None}[target.provider]


async def test_the_target_that_answered_has_its_own_price() -> None:
    house = House(MemoryLedger(10**9), ByProvider(), a=Scripted(DOWN), b=Scripted(chunks("Hi")))
    result = await house.serve(asking(max_tokens=10))
    assert [("a", "failed", 0, False), ("b", "complete", 12, False)] == house.rows
    house.check(result.exchange)


async def test_who_is_too_dear_or_has_no_price_is_passed_over() -> None:
    exchange = asking(max_tokens=10)
    limit = prompt_bound(exchange) + 10
    house = House(MemoryLedger(limit), ByProvider(), a=Scripted([]), c=Scripted([]), b=Scripted(chunks("Hi")))
    house.counter = Pessimist()
    result = await house.serve(exchange)
    assert [("b", "complete", 12, False)] == house.rows
    house.check(result.exchange)


@pytest.mark.parametrize(
    ("ledger", "prices", "error"),
    [
        (MemoryLedger(2), FixedPrices(), BudgetExceeded),
        (MemoryLedger(0), FixedPrices(), BudgetExceeded),
        (MemoryLedger(tokens=1), FixedPrices(), BudgetExceeded),
        (MemoryLedger(10**9), FixedPrices(None), Unpriced),
    ],
)
async def test_what_cannot_be_paid_for_never_leaves(ledger: MemoryLedger, prices: FixedPrices, error: type[Exception]) -> None:
    house = House(ledger, prices, a=Scripted(chunks("Hi")))
    result = await house.serve()
    assert isinstance(result.refusal, error)
    assert ([], [], {}) == (house.providers["a"].bodies, house.rows, ledger.holds)


async def test_without_a_budget_and_without_a_price_tokens_are_counted() -> None:
    house = House(MemoryLedger(), FixedPrices(None), a=Scripted(whole("Hi")))
    result = await house.serve(asking(stream=False))
    assert [(0, USAGE)] == [(charge.nanos, charge.usage) for _, charge in house.ledger.charges]
    assert (None, False) == (result.exchange.cost, "x-ailb-cost-usd" in result.exchange.reply_headers)


async def test_no_store_no_answer() -> None:
    class Down(MemoryLedger):
        async def hold(self, intent: Intent, *, whole: bool = False) -> Hold:
            raise Unavailable("the store is down")

    house = House(Down(), a=Scripted(chunks("Hi")))
    result = await house.serve()
    assert isinstance(result.refusal, Unavailable)
    assert [] == house.providers["a"].bodies


async def test_the_charge_says_how_long_it_took() -> None:
    house = House(a=Scripted(chunks("Hi")))
    await house.serve()
    ((_, charge),) = house.ledger.charges
    assert (200, None, USAGE) == (charge.http_status, charge.error, charge.usage)
    assert charge.latency_ms is not None
    assert charge.first_event_ms is not None


async def cancelled_after(house: House, exchange: Exchange, steps: int) -> bool:
    """Whether it was over before. The client leaves after so many turns of the event loop; then it is settled, as the edge does it."""
    layers, innermost = house.layers()
    outcome = Outcome("complete", 200, 0.0)

    async def serving() -> None:
        reply = await stack(layers, innermost)(exchange)
        async for _ in reply:
            await asyncio.sleep(0)

    task = asyncio.ensure_future(serving())
    for _ in range(steps):
        await asyncio.sleep(0)
    early = task.done()
    task.cancel()
    await asyncio.wait([task])
    outcome.status = "complete" if early else "disconnected"
    for settler in reversed(exchange.settlers):
        if (waiting := settler(outcome)) is not None:
            await waiting
    return early


@pytest.mark.parametrize("first", [DOWN, LATE])
async def test_whenever_it_is_cancelled_nothing_leaks(first: Exception) -> None:
    for steps in range(1000):
        house = House(MemoryLedger(10**6), a=Scripted(first), b=Scripted(chunks("Hi", "there")))
        exchange = asking(max_tokens=5)
        early = await cancelled_after(house, exchange, steps)
        assert {} == house.ledger.holds, steps
        assert house.ledger.spent == (exchange.cost or 0)
        if early:
            return
    raise AssertionError("it never came to an end")


async def test_an_answer_in_one_piece_that_nobody_waits_for_costs_what_was_held() -> None:
    class Hanging:
        def __init__(self) -> None:
            self.asked = asyncio.Event()

        async def __call__(self, exchange: Exchange, target: Any) -> Reply:
            self.asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    hanging = Hanging()
    house = House(a=Scripted([]))
    house.providers = {"a": hanging}  # type: ignore[dict-item]
    exchange = asking(stream=False, max_tokens=10)
    await cancelled_after(house, exchange, 20)
    assert hanging.asked.is_set()
    assert [("a", "disconnected", prompt_bound(exchange) + 10 * OUTPUT, True)] == house.rows
    assert {} == house.ledger.holds


STEPS = st.lists(st.sampled_from(["Hi ", "there ", "", UpstreamBroken("cut"), DOWN]), max_size=5)


def _stream(steps: Sequence[str | Exception], usage: Usage | None) -> list[Event | Exception]:
    made: list[Event | Exception] = []
    for step in steps:
        made += [step] if isinstance(step, Exception) else chunks(step, usage=None)[1:2]
    return [*made, *(chunks(usage=usage)[-1:] if usage else [])]


@given(
    st.lists(st.sampled_from([DOWN, BUSY, LATE, CUT, UNFIT, unreachable()]), max_size=3),
    STEPS,
    st.sampled_from([None, Usage(), USAGE, Usage(0, 5), Usage(1 << 27, 1 << 27)]),
    st.none() | st.integers(1, 4),
    st.none() | st.integers(1, 50),
    st.sampled_from([None, 0, 50, 1200, 10**6]),
)
async def test_however_it_ends_it_adds_up(
    failures: list[Exception],
    steps: list[str | Exception],
    usage: Usage | None,
    leave_after: int | None,
    cap: int | None,
    limit: int | None,
) -> None:
    providers = {f"p{number}": Scripted(failure) for number, failure in enumerate(failures)}
    house = House(MemoryLedger(limit), **providers, z=Scripted(_stream(steps, usage)))
    result = await house.serve(asking(**({"max_tokens": cap} if cap else {})), leave_after=leave_after)
    assert all(provider.held == [1] * len(provider.held) for provider in house.providers.values())
    house.check(result.exchange)


async def test_what_costs_nothing_is_held_for_nothing() -> None:
    house = House(MemoryLedger(0), FixedPrices(FREE), a=Scripted(chunks("Hi")))
    result = await house.serve()
    assert [("a", "complete", 0, False)] == house.rows
    assert "x-ailb-max-tokens-clamped" not in result.exchange.reply_headers


@pytest.mark.parametrize("options", [{"output_tokens": 0}, {"implicit_share": 0.0}, {"implicit_share": 1.1}])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    house = House(a=Scripted([]))
    house.options = options
    with pytest.raises(ValueError, match="must be"):
        house.layers()
