"""How many tokens an answer took, in one shape for every provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

MOST = 1 << 27
"""No request has more tokens than this, 134 million; a larger number is an upstream's mistake. The largest model takes 10 million."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


def count(value: object) -> int:
    """A token count as an upstream reports it, made safe: 0 for null, negative, text or a bool; at most `MOST`."""
    if type(value) is int and 0 <= value <= MOST:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        return 0
    return int(min(value, MOST))


def _details(usage: Mapping[str, Any], name: str, other: str) -> Mapping[str, Any]:
    for place in (name, other):
        value = usage.get(place)
        if type(value) is dict and value:
            return value
    return NOTHING


def _either(usage: Mapping[str, Any], name: str, other: str) -> int:
    value = usage.get(name)
    return count(usage.get(other) if value is None else value)


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
        if self.cache_written_1h > self.cache_written:
            self.cache_written_1h = self.cache_written
        if self.reasoning > self.output:
            self.reasoning = self.output
        if self.audio_input > self.input:
            self.audio_input = self.input
        if self.audio_output > self.output:
            self.audio_output = self.output

    @property
    def total(self) -> int:
        return self.input + self.output

    @classmethod
    def of_chat(cls, usage: Mapping[str, Any]) -> "Usage":
        """From the `usage` object of OpenAI's chat completions, embeddings or responses; also DeepSeek's, Mistral's and Perplexity's.

        Perplexity's deep research leaves its reasoning out of `completion_tokens` and what it read out of `prompt_tokens`, and bills both.
        """
        given = _details(usage, "prompt_tokens_details", "input_tokens_details")
        made = _details(usage, "completion_tokens_details", "output_tokens_details")
        read = count(usage.get("citation_tokens"))
        thought = count(usage.get("reasoning_tokens")) if read else 0
        return cls(
            _either(usage, "prompt_tokens", "input_tokens") + read,
            _either(usage, "completion_tokens", "output_tokens") + thought,
            count(given.get("cached_tokens", usage.get("prompt_cache_hit_tokens", 0))),
            count(given.get("cache_write_tokens", 0)),
            0,
            count(made.get("reasoning_tokens", 0)) + thought,
            count(given.get("audio_tokens", 0)),
            count(made.get("audio_tokens", 0)),
        )

    def chat(self) -> dict[str, Any]:
        """As OpenAI's chat completions report it."""
        return {
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.total,
            "prompt_tokens_details": {"cached_tokens": self.cached, "cache_write_tokens": self.cache_written, **_audio(self.audio_input)},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning, **_audio(self.audio_output)},
        }


def _audio(tokens: int) -> dict[str, int]:
    return {"audio_tokens": tokens} if tokens else {}
