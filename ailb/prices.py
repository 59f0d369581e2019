"""What models cost: the configuration's `[[price]]` tables, and behind them the list in the package `genai-prices`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final

from ailb import config
from ailb.clock import Clock
from ailb.config_errors import quoted, unknown
from ailb.dialect import Target
from ailb.errors import ConfigError
from ailb.money import nanos
from ailb.prices_listed import Listed, listed
from ailb.rates import FREE, Rates

MOST_KEPT: Final = 1024
"""Models that are remembered; what clients may ask for has no end."""

FREE_KINDS: Final = frozenset({"echo", "ollama", "vllm", "llamacpp", "lmstudio"})
"""What runs on one's own machines."""


class PriceList:
    """The `Prices` service."""

    def __init__(self, prices: Sequence[config.Price], providers: Sequence[config.Provider], clock: Clock) -> None:
        """Raises ConfigError for a price at a provider that is not there."""
        self._providers = {provider.name: provider for provider in providers}
        self._prices = [(price, _rates(price)) for price in prices]
        self._clock = clock
        self._listed: dict[tuple[str, str], Listed | None] = {}
        self._known: dict[tuple[str, str, str], Rates | None] = {}
        self._limits: dict[tuple[str, str], tuple[int | None, int | None]] = {}
        self._minute = 0
        for price in prices:
            if price.provider is not None and price.provider not in self._providers:
                raise ConfigError(f"[[price]] {quoted(price.model)}.provider", unknown("provider", price.provider, self._providers))

    def rates(self, target: Target, tier: str = "") -> Rates | None:
        """Some prices change with the date or the hour, so what was found counts for the minute."""
        now = self._clock.unix()
        if now // 60 != self._minute or len(self._known) > MOST_KEPT:
            self._minute = int(now // 60)
            self._known.clear()
        key = (target.provider, target.model, tier)
        if key not in self._known:
            self._known[key] = self._rates(target, tier, datetime.fromtimestamp(now, UTC))
        return self._known[key]

    def most_output(self, target: Target) -> int | None:
        """As the configuration has it; else what the model can be given, which is never less."""
        return self._limited(target)[1]

    def context(self, target: Target) -> int | None:
        return self._limited(target)[0]

    def _limited(self, target: Target) -> tuple[int | None, int | None]:
        """Tokens that it can be given, and that it can answer. Asked for with every request, and always the same."""
        key = (target.provider, target.model)
        limits = self._limits.get(key)
        if limits is None:
            context = next((price.context for price, _ in self._fitting(target) if price.context), None)
            if not context:
                found = self._find(target)
                context = found.context if found else None
            output = next((price.max_output for price, _ in self._fitting(target) if price.max_output), None)
            if len(self._limits) >= MOST_KEPT:
                self._limits.clear()
            limits = self._limits[key] = (context, output or context)
        return limits

    def _rates(self, target: Target, tier: str, at: datetime) -> Rates | None:
        given = next((rates for _, rates in self._fitting(target) if rates is not None), None)
        if given is not None:
            return given
        provider = self._providers.get(target.provider)
        if provider is not None and (provider.free or (provider.kind or provider.name) in FREE_KINDS):
            return FREE
        found = self._find(target)
        return found.rates(at, tier) if found else None

    def _fitting(self, target: Target) -> Iterator[tuple[config.Price, Rates | None]]:
        for price, rates in self._prices:
            if price.provider in (None, target.provider) and fnmatchcase(target.model, price.model):
                yield price, rates

    def _find(self, target: Target) -> Listed | None:
        provider = self._providers.get(target.provider)
        if provider is None:
            return None
        key = (target.provider, target.model)
        if key not in self._listed:
            if len(self._listed) >= MOST_KEPT:
                self._listed.clear()
            self._listed[key] = listed(provider.kind or provider.name, provider.base_url, target.model)
        return self._listed[key]


def _rates(price: config.Price) -> Rates | None:
    """None for a table that is not about money."""
    if price.free:
        return FREE
    if not price.rated:
        return None
    return replace(_flat(price), tiers=tuple((above.tokens, _flat(above)) for above in price.above))


def _flat(rated: config.Rated) -> Rates:
    return Rates.flat({name: nanos(value) for name in rated.rated if (value := getattr(rated, name)) is not None})
