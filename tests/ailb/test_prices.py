import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from ailb import config
from ailb.clock import Clock
from ailb.config_errors import place
from ailb.dialect import Dialect, Target
from ailb.errors import ConfigError
from ailb.money import NANO
from ailb.prices import MOST_KEPT, PriceList
from ailb.prompt import Prompt
from ailb.rates import FREE, Rates
from ailb.testing import StillClock
from ailb.usage import Usage
from providers.anthropic import Anthropic
from providers.catalog import ROWS
from providers.ollama import Ollama
from providers.openai import OpenAI
from tests.ailb.priced import CASES

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
KINDS = sorted({*ROWS, "echo"})


def price_list(*prices: dict[str, Any], clock: Clock | None = None, **providers: dict[str, Any]) -> PriceList:
    """With a provider of every kind, called as the kind."""
    tables = [{"name": kind} for kind in KINDS] + [{"name": name, **table} for name, table in providers.items()]
    parsed = config.parse({"layer": [{"use": "routing"}], "provider": tables, "price": list(prices)}, {})
    return PriceList(parsed.price, parsed.provider, clock or StillClock(NOON))


def used(kind: str, usage: dict[str, Any]) -> Usage:
    """As the dialect of that kind reads it out of an answer."""
    prompt = Prompt({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}, {})
    if kind == "anthropic":
        body: dict[str, Any] = {"id": "m", "type": "message", "model": "m", "content": [], "stop_reason": "end_turn", "usage": usage}
        dialect: Dialect = Anthropic()
    elif kind == "ollama":
        counts = {"prompt_eval_count": usage["prompt_tokens"], "eval_count": usage["completion_tokens"]}
        body = {"model": "m", "created_at": "", "message": {"role": "assistant", "content": "Hi"}, "done": True, **counts}
        dialect = Ollama()
    else:
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
        body = {"id": "m", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        dialect = OpenAI(quirks=ROWS[kind].quirks if kind in ROWS else frozenset())
    found = dialect.whole(prompt, orjson.dumps(body)).usage
    assert found is not None
    return found


PRICES = price_list()


@pytest.mark.parametrize(("kind", "model", "usage", "expected"), CASES, ids=lambda value: str(value)[:40])
def test_a_bill_worked_out_by_hand(kind: str, model: str, usage: dict[str, Any], expected: int) -> None:
    rates = PRICES.rates(Target(kind, model))
    assert rates is not None
    assert rates.cost(used(kind, usage)) == expected
    assert Rates.of_json(rates.json()).cost(used(kind, usage)) == expected


def test_the_table_is_long_enough() -> None:
    assert len(CASES) >= 60
    assert len({kind for kind, *_ in CASES}) >= 14


def dollars(rates: Rates | None) -> tuple[float, float]:
    assert rates is not None
    return rates.input / NANO, rates.output / NANO


@pytest.mark.parametrize(
    ("kind", "model", "tier", "expected"),
    [
        ("openai", "o3", "", (2, 8)),
        ("openai", "o3", "default", (2, 8)),
        ("openai", "o3", "auto", (2, 8)),
        ("openai", "o3", "no such tier", (2, 8)),
        ("openai", "o3", "flex", (1, 4)),
        ("openai", "o3", "batch", (1, 4)),
        ("openai", "o3", "priority", (3.5, 14)),
        ("openai", "gpt-4o", "priority", (4.25, 17)),
        ("openai", "gpt-4o", "flex", (2.5, 10)),  # which has no flex
        ("groq", "openai/gpt-oss-120b", "batch", (0.075, 0.3)),
        ("mistral", "mistral-large-latest", "batch", (2, 6)),
        ("anthropic", "claude-haiku-4-5", "batch", (1, 5)),  # batches are not asked for in a message
        ("gemini", "gemini-2.5-flash", "flex", (0.3, 2.5)),  # which may go unheard
        ("azure", "o3", "batch", (2, 8)),  # OpenAI's own discount
        ("echo", "echo", "priority", (0, 0)),
    ],
)
def test_a_service_tier_has_its_own_price_where_it_is_heard(kind: str, model: str, tier: str, expected: tuple[float, float]) -> None:
    assert expected == dollars(PRICES.rates(Target(kind, model), tier))


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "no-such-model"),
        ("azure", "our-deployment"),
        ("openai", "gpt-realtime-translate"),  # by the hour
        ("nvidia", "meta/llama-3.3-70b-instruct"),
        ("openai-compatible", "gpt-4o"),  # whose address tells nothing
        ("gone", "gpt-4o"),
    ],
)
def test_a_price_that_nobody_knows_is_none(kind: str, model: str) -> None:
    assert PRICES.rates(Target(kind, model)) is None


def test_the_address_tells_where_the_kind_does_not() -> None:
    prices = price_list(ds={"kind": "openai-compatible", "base_url": "https://api.deepseek.com/v1"})
    assert prices.rates(Target("ds", "deepseek-v4-pro")) == PRICES.rates(Target("deepseek", "deepseek-v4-pro"))
    elsewhere = price_list(ds={"kind": "openai-compatible", "base_url": "https://llm.example.com/v1"})
    assert elsewhere.rates(Target("ds", "deepseek-v4-pro")) is None


@pytest.mark.parametrize("kind", ["echo", "ollama", "vllm", "llamacpp", "lmstudio"])
def test_what_runs_here_is_free(kind: str) -> None:
    assert PRICES.rates(Target(kind, "anything")) == FREE


def test_a_provider_can_be_declared_free_and_a_price_still_counts() -> None:
    prices = price_list({"model": "big", "input": 1, "output": 2}, mine={"kind": "openai-compatible", "free": True})
    assert prices.rates(Target("mine", "small")) == FREE
    assert dollars(prices.rates(Target("mine", "big"))) == (1, 2)
    assert dollars(prices.rates(Target("ollama", "big"))) == (1, 2)


def test_the_first_table_that_fits_wins() -> None:
    prices = price_list(
        {"model": "gpt-4o-mini", "provider": "azure", "input": 1, "output": 1},
        {"model": "gpt-4o*", "input": 2, "output": 3, "max_output": 9},
        {"model": "*", "provider": "openai", "free": True, "context": 7},
    )
    assert dollars(prices.rates(Target("azure", "gpt-4o-mini"))) == (1, 1)
    assert dollars(prices.rates(Target("openai", "gpt-4o-mini"))) == (2, 3)
    assert prices.rates(Target("openai", "o3")) == FREE
    assert dollars(prices.rates(Target("azure", "o3"))) == (2, 8)
    assert (9, 7) == (prices.most_output(Target("openai", "gpt-4o")), prices.context(Target("openai", "gpt-4o")))
    assert (9, 128_000) == (prices.most_output(Target("azure", "gpt-4o")), prices.context(Target("azure", "gpt-4o")))


def test_a_table_can_say_every_rate() -> None:
    names = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "audio_input", "reasoning", "audio_output", "request")
    every = {name: number / 10 for number, name in enumerate(names, 1)}
    tenth = NANO // 10
    expected = {name: number * tenth for number, name in enumerate(names, 1)}
    prices = price_list({"model": "m", **every, "above": [{"tokens": 5, "input": 2, "output": 3}, {"tokens": 9, **every}]})
    high, flat = Rates(2 * NANO, 3 * NANO), Rates.flat(expected)
    assert prices.rates(Target("openai", "m")) == replace(flat, tiers=((5, high), (9, flat)))


def test_a_table_about_limits_leaves_the_price() -> None:
    prices = price_list({"model": "gpt-4o", "max_output": 16_384})
    assert prices.rates(Target("openai", "gpt-4o")) == PRICES.rates(Target("openai", "gpt-4o"))
    assert prices.most_output(Target("openai", "gpt-4o")) == 16_384


def test_limits_that_nobody_knows_are_none() -> None:
    for target in (Target("openai", "no-such-model"), Target("echo", "echo"), Target("gone", "x")):
        assert PRICES.most_output(target) is None
        assert PRICES.context(target) is None
    assert PRICES.most_output(Target("openai", "gpt-4o")) == 128_000


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, '[[price]] "m": says nothing: it needs input and output, or free = true'),
    ({"input": 1}, '[[price]] "m": a price needs both input and output, if only as 0'),
    ({"output": 1, "cache_read": 1}, '[[price]] "m": a price needs both input and output, if only as 0'),
    ({"free": True, "input": 1, "output": 1}, '[[price]] "m": what is free has no other price'),
    ({"max_output": 1, "above": [{"tokens": 1, "input": 1, "output": 1}]}, '[[price]] "m": above needs the price below it'),
    ({"input": 1, "output": 1, "above": [{"tokens": 5, "input": 1}]}, '[[price]] "m".above[0].output: is missing'),
    (
        {"input": 1, "output": 1, "above": [{"tokens": 5, "input": 1, "output": 1}, {"tokens": 5, "input": 1, "output": 1}]},
        '[[price]] "m": above must go from fewer tokens to more',
    ),
    ({"inptu": 1, "output": 1}, '[[price]] "m".inptu: no such key; did you mean input?'),
    ({"input": -1, "output": 1}, '[[price]] "m".input: should be greater than or equal to 0'),
    ({"input": float("nan"), "output": 1}, '[[price]] "m".input: should be a finite number'),
    ({"input": float("inf"), "output": 1}, '[[price]] "m".input: should be a finite number'),
    ({"input": 1e300, "output": 1}, '[[price]] "m".input: should be less than or equal to 1000000'),
    ({"input": "1", "output": 1}, '[[price]] "m".input: should be a valid number'),
    ({"input": True, "output": 1}, '[[price]] "m".input: should be a valid number'),
    ({"free": True, "max_output": 0}, '[[price]] "m".max_output: should be greater than or equal to 1'),
    ({"free": True, "provider": "openay"}, '[[price]] "m".provider: no such provider; did you mean openai?'),
]


@pytest.mark.parametrize(("table", "expected"), BAD, ids=str)
def test_a_price_that_is_none_is_refused_at_the_start(table: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        price_list({"model": "m", **table})
    assert str(refused.value).startswith(expected)
    assert place({"price": [{"model": "m"}]}, ("price", 0)) == '[[price]] "m"'


def test_a_price_follows_the_clock() -> None:
    """DeepSeek's is double in its rush hours."""
    clock = StillClock(datetime(2026, 11, 25, 0, 59, 59, tzinfo=UTC).timestamp())
    prices = price_list(clock=clock)
    target = Target("deepseek", "deepseek-v4-pro")
    assert dollars(prices.rates(target)) == (0.66, 1.98)
    clock.advance(1)
    assert dollars(prices.rates(target)) == (1.32, 3.96)
    clock.advance(3 * 3600)
    assert dollars(prices.rates(target)) == (0.66, 1.98)


def test_clients_that_ask_for_everything_do_not_fill_the_memory() -> None:
    prices = price_list()
    for number in range(3 * MOST_KEPT):
        prices.rates(Target("deepseek", f"model-{number}"))
        prices.most_output(Target("deepseek", f"model-{number}"))
    assert len(prices._known) <= MOST_KEPT + 1
    assert len(prices._limits) <= MOST_KEPT
    assert len(prices._listed) <= MOST_KEPT
    assert dollars(prices.rates(Target("openai", "o3"))) == (2, 8)


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    code = "import sys, ailb.prices; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
