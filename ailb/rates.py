"""What tokens cost: the rates of one model, the cost of a usage, and the most that a request can come to.

Rates are integer nano-dollars per million tokens ($2.50 a million is 2_500_000_000), so that every published price is exact. A cost is
summed exactly and rounded up once, to the nano-dollar.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Protocol

import orjson

from ailb.dialect import Target
from ailb.usage import MOST, Usage

PER: Final = 1_000_000
"""The tokens that a rate is for."""

LIKE: Final = -1
"""A rate that is not its own, but the one that it is a kind of."""

_KINDS: Final = (
    ("cache_read", "input"),
    ("cache_write", "input"),
    ("cache_write_1h", "cache_write"),
    ("audio_input", "input"),
    ("reasoning", "output"),
    ("audio_output", "output"),
)
"""Each rate beside the one that stands in where the provider has no own price for it."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Nano-dollars per million tokens; `request` is nano-dollars for each request. The rates left at `LIKE` become those they are like.

    `tiers` are (threshold, rates): a request with more input tokens than the threshold costs those rates, all of it, as Anthropic,
    Google, OpenAI and xAI do it. They stand in order of their thresholds, and have no tiers of their own.
    """

    input: int = 0
    output: int = 0
    cache_read: int = LIKE
    cache_write: int = LIKE
    cache_write_1h: int = LIKE
    audio_input: int = LIKE
    reasoning: int = LIKE
    audio_output: int = LIKE
    request: int = 0
    tiers: tuple[tuple[int, "Rates"], ...] = ()
    dearest: tuple[int, int, int] = field(init=False, repr=False, compare=False)
    """Of the rates of input, of those of output, and for the request, without tiers."""

    def __post_init__(self) -> None:
        for name, like in _KINDS:
            if getattr(self, name) == LIKE:
                object.__setattr__(self, name, getattr(self, like))
        given = max(self.input, self.cache_read, self.cache_write, self.cache_write_1h, self.audio_input)
        object.__setattr__(self, "dearest", (given, max(self.output, self.reasoning, self.audio_output), self.request))

    @staticmethod
    def flat(rates: Mapping[str, int]) -> "Rates":
        """From rates by name; without tiers."""
        return Rates(**rates)  # type: ignore[arg-type]

    def at(self, input: int) -> "Rates":
        """The rates for a request with so many input tokens."""
        found = self
        for threshold, rates in self.tiers:
            if input > threshold:
                found = rates
        return found

    def cost(self, usage: Usage) -> int:
        """Nano-dollars, rounded up.

        Cached tokens count as text: who reports audio and caching at once does not say how they overlap, and audio is never cheaper.
        """
        if not (usage.cache_written or usage.reasoning or usage.audio_input or usage.audio_output):
            return self.text(usage.input, usage.output, usage.cached)
        rates = self.at(usage.input)
        fresh = usage.input - usage.cached - usage.cache_written
        heard = min(usage.audio_input, fresh)
        written = usage.cache_written - usage.cache_written_1h
        plain = usage.output - usage.reasoning
        spoken = min(usage.audio_output, plain)
        given = (fresh - heard) * rates.input + heard * rates.audio_input + usage.cached * rates.cache_read
        given += written * rates.cache_write + usage.cache_written_1h * rates.cache_write_1h
        made = (plain - spoken) * rates.output + usage.reasoning * rates.reasoning + spoken * rates.audio_output
        return _up(given + made) + rates.request

    def text(self, input: int, output: int, cached: int = 0) -> int:
        """The `cost` of so many tokens of text, of which so many were read from a cache; for whoever asks it of every target."""
        rates = self.at(input) if self.tiers else self
        return _up((input - cached) * rates.input + cached * rates.cache_read + output * rates.output) + rates.request

    def worst(self, prompt_tokens: int, output_tokens: int) -> int:
        """No usage with at most so many input and output tokens costs more nano-dollars."""
        given, made, request = self._dearest(prompt_tokens)
        return _up(prompt_tokens * given + output_tokens * made) + request

    def affords(self, nanos: int, prompt_tokens: int) -> int:
        """The most output tokens whose `worst` is within `nanos`; at most `usage.MOST`, and -1 where not even the prompt is."""
        given, made, request = self._dearest(prompt_tokens)
        left = (nanos - request) * PER - prompt_tokens * given
        if left < 0:
            return -1
        return min(left // made, MOST) if made else MOST

    def times(self, numerator: int, denominator: int) -> "Rates":
        """These rates at a discount, each rounded up; for batches."""

        def part(rate: int) -> int:
            return -(-rate * numerator // denominator)

        tiers = tuple((threshold, rates.times(numerator, denominator)) for threshold, rates in self.tiers)
        return replace(Rates.flat({name: part(getattr(self, name)) for name in _NAMES}), tiers=tiers)

    def json(self) -> str:
        """For a row of the ledger; `of_json` gives equal rates back. Rates that are like another one are left out."""
        return orjson.dumps(self._plain()).decode()

    @staticmethod
    def of_json(text: str) -> "Rates":
        """Raises ValueError for what is not from `json`."""
        try:
            return _rates(orjson.loads(text))
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"are no rates: {text[:80]!r}") from error

    def _plain(self) -> dict[str, Any]:
        likes = dict(_KINDS)
        plain = {name: getattr(self, name) for name in _NAMES}
        short: dict[str, Any] = {
            name: rate for name, rate in plain.items() if rate != (plain[likes[name]] if name in likes else 0) or name == "input"
        }
        if self.tiers:
            short["tiers"] = [[threshold, rates._plain()] for threshold, rates in self.tiers]
        return short

    def _dearest(self, prompt_tokens: int) -> tuple[int, int, int]:
        """The dearest rates of input and of output, and for the request, of all tiers that the prompt may reach."""
        given, made, request = self.dearest
        for threshold, rates in self.tiers:
            if prompt_tokens > threshold:
                more = rates.dearest
                given, made, request = max(given, more[0]), max(made, more[1]), max(request, more[2])
        return given, made, request


_NAMES: Final = tuple(one.name for one in fields(Rates) if one.init and one.name != "tiers")

FREE: Final = Rates()


class Prices(Protocol):
    """What models cost. A service: layers ask for it by this type."""

    def rates(self, target: Target, tier: str = "") -> Rates | None:
        """As of now; None where the price is not known. `tier` is the request's `service_tier`, such as "batch" or "flex"."""

    def most_output(self, target: Target) -> int | None:
        """The most tokens that the model's answer can have, where that is known."""

    def context(self, target: Target) -> int | None:
        """The most tokens that the model can be given, where that is known."""


def _rates(plain: Any) -> Rates:
    tiers = tuple((int(threshold), _rates(rates)) for threshold, rates in plain.pop("tiers", ()))
    if not all(type(rate) is int and rate >= 0 for rate in plain.values()):
        raise ValueError("a rate is no amount")
    return replace(Rates.flat(plain), tiers=tiers)


def _up(nanos_times_per: int) -> int:
    return -(-nanos_times_per // PER)
