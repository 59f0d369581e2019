"""How many tokens an answer took, in one shape for every provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

MOST = 1 << 40
"""No answer has more tokens than this; a larger number is an upstream's mistake."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


def count(value: object) -> int:
    """A token count as an upstream reports it, made safe: 0 for null, negative, text or a bool; at most `MOST`."""
    if type(value) is int and 0 <= value <= MOST:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        return 0
    return int(min(value, MOST))


def _inner(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = usage.get(name)
    return value if type(value) is dict else NOTHING


@dataclass(slots=True)
class Usage:
    """Token counts. `input` includes `cached` and `cache_written`; `output` includes `reasoning` (OpenAI's way of counting).

    `cache_written_1h` is the part of `cache_written` with the one-hour lifetime, the `audio_` counts are parts of `input` and `output`.
    `cached` is never more than `input`, and `reasoning` never more than `output`: upstreams that say otherwise are real, and are
    clamped.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_written: int = 0
    cache_written_1h: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0

    def __post_init__(self) -> None:
        if self.cached + self.cache_written > self.input:
            self.cached = min(self.cached, self.input)
            self.cache_written = min(self.cache_written, self.input - self.cached)
        self.cache_written_1h = min(self.cache_written_1h, self.cache_written)
        self.reasoning = min(self.reasoning, self.output)
        self.audio_input = min(self.audio_input, self.input)
        self.audio_output = min(self.audio_output, self.output)

    @property
    def total(self) -> int:
        return self.input + self.output

    @classmethod
    def of_chat(cls, usage: Mapping[str, Any]) -> "Usage":
        """From the `usage` object of OpenAI's chat completions, embeddings or responses; also DeepSeek's and Mistral's variants."""
        given: Mapping[str, Any] = _inner(usage, "prompt_tokens_details") or _inner(usage, "input_tokens_details")
        made = _inner(usage, "completion_tokens_details") or _inner(usage, "output_tokens_details")
        return cls(
            count(usage.get("prompt_tokens", usage.get("input_tokens"))),
            count(usage.get("completion_tokens", usage.get("output_tokens"))),
            count(given.get("cached_tokens", usage.get("prompt_cache_hit_tokens", 0))),
            count(given.get("cache_write_tokens", 0)),
            0,
            count(made.get("reasoning_tokens", 0)),
            count(given.get("audio_tokens", 0)),
            count(made.get("audio_tokens", 0)),
        )

    def chat(self) -> dict[str, Any]:
        """As OpenAI's chat completions report it."""
        return {
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.total,
            "prompt_tokens_details": {"cached_tokens": self.cached, "cache_write_tokens": self.cache_written},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }
