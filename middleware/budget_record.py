"""What an exchange's record says about money: a hold for each attempt, in dollars."""

from typing import Any

from ailb.errors import Refusal
from ailb.exchange import Exchange
from ailb.ledger import Hold, Standing
from ailb.money import NANO
from ailb.rates import Rates


def note(exchange: Exchange, hold: Hold, refusal: Refusal | None = None, *, capped: bool = False) -> None:
    """Adds to `record["holds"]`, or replaces what was noted of the same attempt. `prompt_tokens` is an upper bound, and `worst_usd` the
    most that it may come to; `left_*` is what a budget has left beside it. A budget `refuses` that cannot pay for the shortest answer.
    """
    intent = hold.intent
    rates = intent.rates
    holds = exchange.record.setdefault("holds", [])
    if holds and holds[-1]["attempt"] == intent.attempt:
        holds.pop()
    holds.append(
        {
            "attempt": intent.attempt,
            "provider": intent.provider,
            "model": intent.model,
            "prompt_tokens": intent.prompt_tokens,
            "output_tokens": hold.output_tokens,
            "choices": intent.choices,
            "worst_usd": None if rates is None else hold.nanos / NANO,
            "capped": capped,
            "refused": None if refusal is None else refusal.code,
            "rates": None if rates is None else _rates(rates),
            "budgets": [_budget(hold, standing, refused=refusal is not None) for standing in hold.standings],
        }
    )


def _rates(rates: Rates) -> dict[str, Any]:
    """Dollars per million tokens, but `request`, which is dollars."""
    made: dict[str, Any] = {
        "input": rates.input / NANO,
        "output": rates.output / NANO,
        "cache_read": rates.cache_read / NANO,
        "cache_write": rates.cache_write / NANO,
        "request": rates.request / NANO,
    }
    if rates.tiers:
        made["tiers"] = [{"above": threshold, **_rates(tier)} for threshold, tier in rates.tiers]
    return made


def _budget(hold: Hold, standing: Standing, *, refused: bool) -> dict[str, Any]:
    nanos = standing.left_nanos
    return {
        "id": standing.budget_id,
        "scope": standing.scope,
        "left_usd": None if nanos is None else nanos / NANO,
        "left_tokens": standing.left_tokens,
        "warning": standing.warning,
        "refuses": refused and _refuses(hold, standing),
    }


def _refuses(hold: Hold, standing: Standing) -> bool:
    intent = hold.intent
    output = intent.choices * min(intent.least_tokens, intent.output_tokens)
    if standing.left_tokens is not None and intent.prompt_tokens + output > standing.left_tokens:
        return True
    return standing.left_nanos is not None and (
        intent.rates is None or intent.rates.worst(intent.prompt_tokens, output) > standing.left_nanos
    )
