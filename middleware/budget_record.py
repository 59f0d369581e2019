"""What an exchange's record says about money: a hold for each attempt, in dollars."""

from typing import Any, NamedTuple

from ailb.errors import Refusal
from ailb.exchange import Exchange
from ailb.ledger import Hold, Standing
from ailb.money import NANO
from ailb.rates import Rates


class Noted(NamedTuple):
    hold: Hold
    refused: str | None
    capped: bool


class Holds:
    """Called, it is the record's list: nobody may ever ask for it. `prompt_tokens` is an upper bound, and `worst_usd` the most that an
    attempt may come to; `left_*` is what a budget has left beside it. A budget `refuses` that cannot pay for the shortest answer.
    """

    __slots__ = ("_noted",)

    def __init__(self) -> None:
        self._noted: list[Noted] = []

    def add(self, noted: Noted) -> None:
        """In the place of what was noted of the same attempt."""
        if self._noted and self._noted[-1].hold.intent.attempt == noted.hold.intent.attempt:
            self._noted.pop()
        self._noted.append(noted)

    def __call__(self) -> list[dict[str, Any]]:
        return [_plain(*noted) for noted in self._noted]


def note(exchange: Exchange, hold: Hold, refusal: Refusal | None = None, *, capped: bool = False) -> None:
    """Adds to `record["holds"]`."""
    holds = exchange.record.get("holds")
    if holds is None:
        holds = exchange.record["holds"] = Holds()
    holds.add(Noted(hold, None if refusal is None else refusal.code, capped))


def _plain(hold: Hold, refused: str | None, capped: bool) -> dict[str, Any]:
    intent = hold.intent
    rates = intent.rates
    return {
        "attempt": intent.attempt,
        "provider": intent.provider,
        "model": intent.model,
        "prompt_tokens": intent.prompt_tokens,
        "output_tokens": hold.output_tokens,
        "choices": intent.choices,
        "worst_usd": None if rates is None else hold.nanos / NANO,
        "capped": capped,
        "refused": refused,
        "rates": None if rates is None else _rates(rates),
        "budgets": [_budget(hold, standing, refused=refused is not None) for standing in hold.standings],
    }


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
