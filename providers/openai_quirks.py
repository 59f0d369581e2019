"""How the providers that call themselves compatible differ from OpenAI: a name for each habit, and what undoes it.

A row of the catalogue carries the names of its provider's habits. "Seen at" is from recordings of real traffic.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ailb.usage import count
from providers.openai_stream import rebuilt

NO_STREAM_OPTIONS: Final = "no_stream_options"
"""The usage comes unasked, and `stream_options` is not among the documented parameters. Seen at Mistral."""

ONLY_MAX_TOKENS: Final = "only_max_tokens"
"""Among the documented parameters `max_tokens` is the only cap of an answer: with `max_completion_tokens` it would write on. So do Cohere
(compatibility), DeepSeek, LM Studio, Mistral, Perplexity and Z.ai."""

USAGE_ANYWHERE: Final = "usage_anywhere"
"""Usage on chunks that have choices, several times, or not last. Seen at Mistral, DeepSeek, Groq, Together, Cloudflare, Vercel and Z.ai
(on the finish chunk), OpenRouter, Avian and Doubleword (on a second finish chunk), Perplexity and Databricks (on every chunk)."""

OUTPUT_IS_REST: Final = "output_is_rest"
"""`completion_tokens` leaves out the reasoning, which only `total_tokens` has. Seen at xAI (18 of 18) and Gemini (35 + 12 -> 109)."""

FINISH_TWICE: Final = "finish_twice"
"""A choice that has finished is heard of again, with nothing to say. Seen at OpenRouter (21 of 30), Avian, Doubleword."""

FINISH_WORDS: Final = "finish_words"
"""Finish reasons that OpenAI does not have. Seen at Together (`eos`); Mistral documents `model_length`."""

REASONING: Final = "reasoning"
"""Reasoning in `reasoning` or `reasoning_details` only. Seen at Groq, OpenRouter, Cerebras, Ollama, Vercel, Snowflake; new vLLM."""

CONTENT_PARTS: Final = "content_parts"
"""`content` is a list of text and thinking parts (seen at Mistral), or the JSON object itself that was asked for (Cloudflare)."""

LIST_INDEX: Final = "list_index"
"""Entries of a delta's lists have no `index`, without which OpenAI's SDK cannot put them together. Seen at Mistral (tool calls, 2024)
and OpenRouter (annotations, reasoning)."""

TOOL_IDS: Final = "tool_ids"
"""The ids of tool calls are empty or missing. Seen at Gemini's compatible endpoint."""

IDS: Final = "ids"
"""A stream's chunks have no id (Snowflake), or more than one (Groq's compound models, Avian)."""

MESSAGE_BESIDE_DELTA: Final = "message_beside_delta"
"""Both `message` and `delta` in every choice, and an `object` of its own in the last chunk. Seen at Perplexity."""

PADDING: Final = "padding"
"""`p`, padding against traffic analysis. Seen at Mistral."""

TOLERANT: Final = frozenset({USAGE_ANYWHERE, FINISH_TWICE, REASONING, CONTENT_PARTS, LIST_INDEX, TOOL_IDS, IDS})
"""For a server of which nothing is known."""

ASKING: Final = frozenset({NO_STREAM_OPTIONS, ONLY_MAX_TOKENS})
"""Of requests; all others are of answers."""

QUIRKS: Final = TOLERANT | ASKING | {OUTPUT_IS_REST, FINISH_WORDS, MESSAGE_BESIDE_DELTA, PADDING}

_WORDS: Final = {"eos": "stop", "model_length": "length"}

Fix = Callable[[dict[str, Any]], None]


def output_is_rest(usage: dict[str, Any]) -> None:
    given, made, total = (count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    hidden = total - given - made
    if hidden > 0:
        details = usage.get("completion_tokens_details")
        usage["completion_tokens"] = total - given
        usage["completion_tokens_details"] = {"reasoning_tokens": hidden, **(details if isinstance(details, dict) else {})}


def finish_words(choice: dict[str, Any]) -> None:
    reason = choice.get("finish_reason")
    if isinstance(reason, str):
        choice["finish_reason"] = _WORDS.get(reason, reason)


def reasoning(part: dict[str, Any]) -> None:
    """Adds `reasoning_content` to a delta or a message; what it is made from stays."""
    if part.get("reasoning_content"):
        return
    said = part.get("reasoning")
    if not isinstance(said, str) or not said:
        said = "".join(_text(detail, "text") or _text(detail, "summary") for detail in dicts(part.get("reasoning_details")))
    if said:
        part["reasoning_content"] = said


def content_parts(part: dict[str, Any]) -> None:
    """The content becomes its text; thinking becomes `reasoning_content`. Raises UpstreamBroken for JSON that is nested too deeply."""
    content = part.get("content")
    if isinstance(content, dict):
        part["content"] = rebuilt(content).decode()
    if not isinstance(content, list):
        return
    part["content"] = "".join(_text(piece, "text") for piece in dicts(content))
    thought = "".join(_text(piece, "text") for thinking in dicts(content) for piece in dicts(thinking.get("thinking")))
    if thought:
        part["reasoning_content"] = thought


def dicts(value: Any) -> Iterator[dict[str, Any]]:
    """The objects in what should be a list of objects."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


USAGE_FIXES: Final[Mapping[str, Fix]] = {OUTPUT_IS_REST: output_is_rest}
CHOICE_FIXES: Final[Mapping[str, Fix]] = {FINISH_WORDS: finish_words}
PART_FIXES: Final[Mapping[str, Fix]] = {REASONING: reasoning, CONTENT_PARTS: content_parts}
