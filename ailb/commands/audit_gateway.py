"""What a running gateway says about money, beside what its database says."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from ailb.commands.caller import Caller
from ailb.errors import Unavailable
from ailb.money import NANO
from ailb.store.audit import Amount, Check
from ailb.store.audit_paid import Paid

TRIES: Final = 10
"""How often both are read until nothing was spent meanwhile, and what the metrics counted first is written down."""

_NOBODY: Final = Amount()


class Asked:
    """A gateway. Without `key` it must be in local mode, where every user is asked about by name."""

    def __init__(self, url: str, key: str = "") -> None:
        self._gateway = Caller(url, key=key)
        self.everything = bool(key)
        """Whether it tells about all users at once."""

    def spend(self, user: str | None) -> Mapping[str, Amount]:
        """What was ever spent, by provider. Raises Unavailable."""
        query = "start_date=1970-01-01" + ("" if user is None else f"&user_id={quote(user, safe='')}")
        said = json.loads(self._get(f"/api/billing/spend?{query}"), parse_float=Decimal)
        return {name: Amount(_nanos(one["spend"]), one["tokens"], one["requests"]) for name, one in said["providers"].items()}

    def cost(self) -> Mapping[str, int]:
        """Nano-dollars by provider since it started, from its metrics. Raises Unavailable."""
        sums: dict[str, int] = defaultdict(int)
        for line in self._get("/metrics").decode().splitlines():
            if line.startswith("ailb_cost_total_usd{"):
                provider = line.partition('provider="')[2].partition('"')[0]
                sums[provider] += _nanos(line.rsplit(" ", 1)[1])
        return sums

    def _get(self, target: str) -> bytes:
        status, body = self._gateway.call("GET", target)
        if status != 200:
            raise Unavailable(f"{self._gateway.where}{target} answers {status}; AILB_ADMIN_KEY must be its auth.admin_key")
        return body


def compare(read: Callable[[], Paid], gateway: Asked) -> list[Check]:
    """`read` tells by user what a gateway must be asked by user. Raises Unavailable."""
    billing = Check("roll-up = /api/billing/spend, by provider")
    metrics = Check("ledger since the gateway started = /metrics, by provider")
    paid = read()
    for _ in range(TRIES):
        said = {user: gateway.spend(user or None) for user in paid.users}
        cost, now = gateway.cost(), read()
        quiet = now.users == paid.users
        paid = now
        if quiet and (paid.running is None or _spent(paid.running) == _spent(cost)):
            break
    if not quiet:
        raise Unavailable("the gateway is too busy to be compared: something was spent whenever it was asked")
    for user, amounts in paid.users.items():
        _same(billing, user or "everybody", amounts, said[user], _NOBODY)
    if paid.running is None:
        metrics.name += " (left out: not exactly one process is alive)"
    else:
        _same(metrics, "since the start", paid.running, cost, 0)
    return [billing, metrics]


def _same(check: Check, who: str, left: Mapping[str, Any], right: Mapping[str, Any], none: object) -> None:
    for provider in sorted(left.keys() | right.keys()):
        check.same(f"{who} at {provider}", left.get(provider, none), right.get(provider, none))


def _spent(amounts: Mapping[str, int]) -> Mapping[str, int]:
    return {name: amount for name, amount in amounts.items() if amount}


def _nanos(dollars: Any) -> int:
    """Of what was written with up to nine digits behind the point."""
    return round(Decimal(dollars) * NANO)
