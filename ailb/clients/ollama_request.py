"""A request for Ollama's chat, as a chat completion request.

Lenient: what is not as Ollama has it goes on as it is, and is the upstream's to judge. What only tunes Ollama's machinery is left out
(`keep_alive`, `num_ctx`, `top_k`, `repeat_penalty`, ...), and so is `think: false`: models that do not think refuse to be told.
Source: https://docs.ollama.com/api/chat, https://docs.ollama.com/modelfile#parameter
"""

from collections.abc import Mapping
from typing import Any, Final

from ailb.clients.ollama_turns import conversation

Json = dict[str, Any]

_OPTIONS: Final = ("temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty")


def chat_body(body: Mapping[str, Any], *, stream: bool) -> Json:
    """Shares parts with `body`."""
    made: Json = {"messages": conversation(body["messages"])}
    if body.get("model") is not None:
        made["model"] = body["model"]
    if stream:
        made |= {"stream": True, "stream_options": {"include_usage": True}}
    return made | _options(body) | _tools(body) | _format(body.get("format")) | _effort(body.get("think"))


def cap(body: Mapping[str, Any]) -> int | None:
    """The most tokens that the answer may have; Ollama takes zero and less for no limit."""
    most = (body.get("options") or {}).get("num_predict")
    return most if most is not None and most > 0 else None


def _options(body: Mapping[str, Any]) -> Json:
    options = body.get("options") or {}
    made = {field: options[field] for field in _OPTIONS if options.get(field) is not None}
    if not made.get("stop", True):  # an empty list is no stop
        del made["stop"]
    most = cap(body)
    return made if most is None else {**made, "max_tokens": most}


def _tools(body: Mapping[str, Any]) -> Json:
    tools = body.get("tools")
    if not isinstance(tools, list):
        return {"tools": tools} if tools else {}
    return {"tools": [{"type": "function", **tool} if isinstance(tool, Mapping) else tool for tool in tools]} if tools else {}


def _format(format: Any) -> Json:
    """`"json"`, or a JSON schema."""
    if not format:
        return {}
    if isinstance(format, Mapping):
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": format}}}
    return {"response_format": {"type": "json_object"}}


def _effort(think: Any) -> Json:
    if not think:
        return {}
    return {"reasoning_effort": "medium" if think is True else think}
