"""Anthropic's Message, as a chat completion.

Source: https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ailb import strict
from ailb.chat import completion
from ailb.dialect import Event
from ailb.errors import BadRequest, UpstreamBroken
from ailb.usage import Usage, count
from providers.anthropic_errors import refused
from providers.anthropic_tools import JSON_TOOL

_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


def message(body: bytes) -> dict[str, Any]:
    """Raises UpstreamBroken for what is no Message, UpstreamRefusal for an error that came with status 200."""
    try:
        data = strict.parse(body)
    except BadRequest as bad:
        raise UpstreamBroken("the provider's answer is not a JSON object") from bad
    if data.get("type") == "error":
        raise refused(data)
    if not isinstance(data.get("content"), list):
        raise UpstreamBroken("the provider's answer is not a message")
    return data


def chat(data: Mapping[str, Any], created: int, *, legacy: bool = False) -> Event:
    """`legacy`: for a client that knows `function_call` only."""
    made = _Reply()
    for block in data["content"]:
        if isinstance(block, Mapping):
            made.add(block)
    return completion(
        text(data.get("id")),
        text(data.get("model")),
        created,
        made.message(legacy=legacy),
        finish=finish(data.get("stop_reason"), calls=bool(made.calls), legacy=legacy),
        usage=usage(data.get("usage")),
    )


def finish(reason: Any, *, calls: bool, legacy: bool = False) -> str:
    """OpenAI's `finish_reason`. A call that the token limit cut stays `length`; a call to the tool that stands for JSON is none."""
    word = _FINISH.get(reason, "stop") if isinstance(reason, str) else "stop"
    if word in ("stop", "tool_calls"):
        word = "tool_calls" if calls else "stop"
    return "function_call" if legacy and word == "tool_calls" else word


def usage(*reports: Any) -> Usage:
    """From Anthropic's usage objects, each field from the last that has it; its `input_tokens` leave the cache out."""
    told: dict[str, Any] = {}
    for report in reports:
        if isinstance(report, Mapping):
            told |= {field: value for field, value in report.items() if value is not None}
    read, written = count(told.get("cache_read_input_tokens")), count(told.get("cache_creation_input_tokens"))
    return Usage(
        input=count(told.get("input_tokens")) + read + written,
        output=count(told.get("output_tokens")),
        cached=read,
        cache_written=written,
        cache_written_1h=count(_within(told, "cache_creation", "ephemeral_1h_input_tokens")),
        reasoning=count(_within(told, "output_tokens_details", "thinking_tokens")),
    )


def sources(citations: Iterable[Any], start: int, end: int) -> dict[str, list[Any]]:
    """Members for the citations of the text from `start` to `end`: `annotations` for the web, `citations`, as they came, for the rest."""
    found: dict[str, list[Any]] = {}
    for citation in citations:
        if not isinstance(citation, Mapping):
            continue
        place = {"start_index": start, "end_index": end}
        if citation.get("type") == "web_search_result_location":
            url = {"url": text(citation.get("url")), "title": text(citation.get("title")), **place}
            found.setdefault("annotations", []).append({"type": "url_citation", "url_citation": url})
        else:
            found.setdefault("citations", []).append({**citation, **place})
    return found


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def arguments(input: Any) -> str:
    """A call's input as OpenAI's string; `{}` where there is none."""
    return strict.dumps(input).decode() if isinstance(input, Mapping) else "{}"


class _Reply:
    """The parts of a message, collected block by block; server tools and what is not known are passed over."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self._text = ""
        self._reasoning = ""
        self._thinking: list[Any] = []
        self._sources: dict[str, list[Any]] = {}

    def add(self, block: Mapping[str, Any]) -> None:
        kind = block.get("type")
        if kind == "text":
            self._say(block)
        elif kind in ("thinking", "redacted_thinking"):
            self._reasoning += text(block.get("thinking"))
            self._thinking.append(block)
        elif kind == "tool_use" and block.get("name") == JSON_TOOL:
            self._text += arguments(block.get("input"))
        elif kind == "tool_use":
            function = {"name": text(block.get("name")), "arguments": arguments(block.get("input"))}
            self.calls.append({"id": text(block.get("id")), "type": "function", "function": function})

    def message(self, *, legacy: bool) -> dict[str, Any]:
        made: dict[str, Any] = {"content": self._text if self._text or not self.calls else None, **self._sources}
        if self._reasoning:
            made["reasoning_content"] = self._reasoning
        if self._thinking:
            made["thinking_blocks"] = self._thinking
        if self.calls and legacy:
            made["function_call"] = self.calls[0]["function"]
        elif self.calls:
            made["tool_calls"] = self.calls
        return made

    def _say(self, block: Mapping[str, Any]) -> None:
        start = len(self._text)
        self._text += text(block.get("text"))
        cited = block.get("citations")
        for member, found in sources(cited if isinstance(cited, list) else (), start, len(self._text)).items():
            self._sources.setdefault(member, []).extend(found)


def _within(told: Mapping[str, Any], outer: str, inner: str) -> Any:
    value = told.get(outer)
    return value.get(inner) if isinstance(value, Mapping) else None
