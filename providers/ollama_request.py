"""A chat completion request, as the body of Ollama's chat endpoint.

Ollama has no `tool_choice`: `none` leaves the tools out and a named tool leaves out the others, but nothing makes the model call one, so
`required` is taken for `auto`. What only tunes or labels the request is left out (`logit_bias`, `parallel_tool_calls`, `user`, `metadata`,
`store`, ...); what asks for something that the answer would then lack is refused by name.
Source: https://docs.ollama.com/api/chat, https://docs.ollama.com/modelfile#parameter
"""

from collections.abc import Mapping
from typing import Any, Final

from ailb.errors import BadRequest
from ailb.prompt import CAPS
from providers.ollama_messages import conversation

Json = dict[str, Any]

_OPTIONS: Final = ("temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty")
_LACKING: Final = ("audio", "logprobs", "top_logprobs", "web_search_options")
_EFFORTS: Final = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


def chat_body(chat: Mapping[str, Any], model: str, *, stream: bool) -> Json:
    """Shares parts with `chat`. Ollama's own `think`, `format`, `options` and `keep_alive` pass. Raises BadRequest naming the field."""
    _refuse(chat)
    made: Json = {"model": model, "messages": conversation(chat["messages"]), "stream": stream}
    parts = {"tools": _tools(chat), "format": _format(chat), "think": _think(chat), "options": _options(chat)}
    made |= {field: part for field, part in parts.items() if part not in (None, [], {}, "")}
    if chat.get("keep_alive") is not None:
        made["keep_alive"] = chat["keep_alive"]
    return made


def _refuse(chat: Mapping[str, Any]) -> None:
    if (chat.get("n") or 1) > 1:
        raise BadRequest("n must be 1: Ollama gives one answer", param="n")
    for field in _LACKING:
        if chat.get(field):
            raise BadRequest(f"{field} cannot be had from Ollama", param=field)
    for old, new in (("functions", "tools"), ("function_call", "tool_choice")):
        if chat.get(old):
            raise BadRequest(f"{old} is not known to Ollama: use {new}", param=old)


def _tools(chat: Mapping[str, Any]) -> list[Any]:
    tools = chat.get("tools") or []
    choice = chat.get("tool_choice")
    if not isinstance(tools, list):
        raise BadRequest("tools must be a list", param="tools")
    if choice == "none":
        return []
    named = {_name(tool, f"tools[{index}]"): tool for index, tool in enumerate(tools)}
    if not isinstance(choice, Mapping):
        return tools
    wanted = _wanted(choice)
    if missing := wanted - named.keys():
        raise BadRequest(f"tool_choice names {min(missing)!r}, which is not in tools", param="tool_choice")
    return [tool for name, tool in named.items() if name in wanted] if wanted else tools


def _name(tool: Any, where: str) -> str:
    if not isinstance(tool, Mapping) or tool.get("type", "function") != "function":
        raise BadRequest(f"{where}: Ollama takes tools of type 'function' only", param=f"{where}.type")
    function = tool.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or not name:
        raise BadRequest(f"{where}.function.name must be a text", param=f"{where}.function.name")
    return name


def _wanted(choice: Mapping[str, Any]) -> set[str]:
    """The names in `{"type": "function", "function": {"name"}}`, or in `{"type": "allowed_tools", "allowed_tools": {"tools"}}`."""
    allowed = choice.get("allowed_tools")
    listed = allowed.get("tools") if isinstance(allowed, Mapping) else [choice]
    names = set()
    for item in listed if isinstance(listed, list) else []:
        function = item.get("function") if isinstance(item, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if isinstance(name, str):
            names.add(name)
    return names


def _format(chat: Mapping[str, Any]) -> Any:
    """`"json"`, a JSON schema, or None."""
    asked = chat.get("response_format")
    if asked is None:
        return chat.get("format")
    kind = asked.get("type") if isinstance(asked, Mapping) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return "json"
    if kind != "json_schema":
        raise BadRequest("response_format.type must be text, json_object or json_schema", param="response_format.type")
    inner = asked.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, Mapping) else None
    if not isinstance(schema, Mapping):
        raise BadRequest("response_format.json_schema.schema must be an object", param="response_format.json_schema.schema")
    return schema or "json"


def _think(chat: Mapping[str, Any]) -> Any:
    effort = chat.get("reasoning_effort")
    if chat.get("think") is not None or effort is None:
        return chat.get("think")
    if not isinstance(effort, str) or effort not in _EFFORTS:
        raise BadRequest(f"reasoning_effort must be one of {', '.join(_EFFORTS)}", param="reasoning_effort")
    return _EFFORTS[effort]


def _options(chat: Mapping[str, Any]) -> Json:
    """The client's `options`, and over them what it said in chat completion's words: its cap is what a budget was held for."""
    options = chat.get("options")
    if not isinstance(options, Mapping | None):
        raise BadRequest("options must be an object", param="options")
    made: Json = {**(options or {}), **{field: chat[field] for field in _OPTIONS if chat.get(field) is not None}}
    cap = next((chat[cap] for cap in CAPS if chat.get(cap) is not None), None)
    if cap is not None:
        made["num_predict"] = cap
    stop = chat.get("stop")
    if stop is not None:
        made["stop"] = [stop] if isinstance(stop, str) else stop
    return made
