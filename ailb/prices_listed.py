"""Prices out of the package `genai-prices`: its data as it was installed.

The package is loaded on the first look-up (0.1 s, 30 MB). It can update itself over the network; nothing here makes it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ailb.money import nanos
from ailb.rates import LIKE, Rates

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

IDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "anthropic": "anthropic",
        "azure": "azure",
        "cerebras": "cerebras",
        "cohere": "cohere",
        "databricks": "databricks",
        "deepseek": "deepseek",
        "fireworks": "fireworks",
        "gemini": "google",
        "groq": "groq",
        "mistral": "mistral",
        "openai": "openai",
        "openrouter": "openrouter",
        "perplexity": "perplexity",
        "together": "together",
        "xai": "x-ai",
        "zai": "zai",
    }
)
"""AILB's kinds of provider, and what the package calls them."""

_RATES: Final = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "audio_input": "input_audio_mtok",
    "reasoning": "output_reasoning_mtok",
    "audio_output": "output_audio_mtok",
}

_CONTEXTS: Final = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast"},
}
"""The `service_tier` of a request, and what the package calls it."""

_DISCOUNTS: Final = frozenset({"batch", "flex"})
_STRICT: Final = frozenset({"openai", "groq", "mistral"})
"""Who refuses a `service_tier` that it does not have. With the others, asking for a discount is not getting it."""

_GAPS: Final[Mapping[tuple[str, str], Mapping[str, Decimal]]] = MappingProxyType(
    {
        ("openai", "gpt-4o-audio-preview"): {"input_audio_mtok": Decimal(40), "output_audio_mtok": Decimal(80)},
        ("openai", "gpt-4o-mini-audio-preview"): {"input_audio_mtok": Decimal(10), "output_audio_mtok": Decimal(20)},
    }
)
"""Published prices (https://platform.openai.com/docs/pricing) that the package does not have."""


class Listed:
    """A model in the package's list."""

    def __init__(self, provider: "Provider", model: "ModelInfo") -> None:
        self._provider = provider
        self._model = model

    @property
    def context(self) -> int | None:
        return self._model.context_window

    def rates(self, at: datetime, tier: str = "") -> Rates | None:
        """None where tokens have no price, but minutes or pages. `at` decides where prices change with the date or the hour."""
        own = any(model is self._model for model in self._provider.models)
        known = own and (tier not in _DISCOUNTS or self._provider.id in _STRICT)
        price = self._model.get_prices(at, _CONTEXTS.get(tier) if known else None)
        return _rates({**_GAPS.get((self._provider.id, self._model.id), {}), **_said(price)})


def load() -> None:
    """Reads the list, which takes a tenth of a second, before a request has to wait for it."""
    from genai_prices import data_snapshot

    data_snapshot.get_snapshot()


def listed(kind: str, base_url: str | None, model: str) -> Listed | None:
    """The model of a provider of AILB's `kind`; where the kind is for anybody, its address tells. None for what is not in the list."""
    from genai_prices import data_snapshot

    snapshot = data_snapshot.get_snapshot()
    try:
        if kind in IDS:
            provider = snapshot.find_provider(None, IDS[kind], None)
        elif base_url:
            provider = snapshot.find_provider(None, None, base_url)
        else:
            return None
    except LookupError:
        return None
    found = provider.find_model(model, all_providers=snapshot.providers)
    return Listed(provider, found) if found else None


def _said(price: "ModelPrice") -> dict[str, Any]:
    return {name: value for name, value in vars(price).items() if value is not None}


def _rates(price: Mapping[str, Any]) -> Rates | None:
    if "input_mtok" not in price:
        return None
    starts = sorted({tier.start for value in price.values() for tier in getattr(value, "tiers", ())})
    return replace(_at(price, 0), tiers=tuple((start, _at(price, start + 1)) for start in starts))


def _at(price: Mapping[str, Any], input: int) -> Rates:
    """The rates of a request with so many input tokens."""
    flat = {name: _flat(value, input) for name, value in price.items()}
    found = {rate: nanos(flat[name]) if name in flat else LIKE for rate, name in _RATES.items()}
    # An answer of a model that draws is mostly its picture, and the usage does not say which of its tokens are.
    found["output"] = max(found["output"], nanos(flat.get("output_image_mtok", 0)))
    found["request"] = -(-nanos(flat.get("requests_kcount", 0)) // 1000)
    return Rates.flat(found)


def _flat(value: Any, input: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    fitting = [tier.price for tier in value.tiers if input > tier.start]
    price: Decimal = fitting[-1] if fitting else value.base
    return price
