"""The messages of a chat completion, as Ollama's.

Source: https://docs.ollama.com/api/chat, https://docs.ollama.com/capabilities/tool-calling
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ailb import strict
from ailb.errors import BadRequest
from providers.ollama_parts import flat

Json = dict[str, Any]

_ROLES: Final = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


def conversation(messages: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Raises BadRequest naming the field."""
    names: dict[str, str] = {}
    return [_message(message, names, f"messages[{index}]") for index, message in enumerate(messages)]


def _message(message: Mapping[str, Any], names: dict[str, str], where: str) -> Json:
    """`names` are the tools that were called so far, by the ids of their calls."""
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise BadRequest(f"{where}.role must be one of {', '.join(_ROLES)}", param=f"{where}.role")
    if message.get("function_call"):
        raise BadRequest(f"{where}.function_call is not known to Ollama: use tool_calls", param=f"{where}.function_call")
    content, images = flat(message.get("content"), f"{where}.content")
    made: Json = {"role": _ROLES[role], "content": content}
    if images:
        made["images"] = images
    if role == "assistant":
        made |= _assistant(message, names, where)
    if role == "tool":
        made |= _result(message, names)
    return made


def _assistant(message: Mapping[str, Any], names: dict[str, str], where: str) -> Json:
    made: Json = {}
    thinking = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thinking, str) and thinking:
        made["thinking"] = thinking
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadRequest(f"{where}.tool_calls must be a list", param=f"{where}.tool_calls")
    if calls:
        made["tool_calls"] = [_call(call, names, f"{where}.tool_calls[{index}]") for index, call in enumerate(calls)]
    return made


def _call(call: Any, names: dict[str, str], where: str) -> Json:
    function = call.get("function") if isinstance(call, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(name, str) or not name:
        raise BadRequest(f"{where} must be the call of a function with a name", param=where)
    made: Json = {"function": {"name": name, "arguments": _arguments(function.get("arguments"), f"{where}.function.arguments")}}
    id = call.get("id")
    if isinstance(id, str) and id:
        names[id] = name
        made = {"id": id, **made}
    return made


def _arguments(given: Any, where: str) -> Mapping[str, Any]:
    """An object out of JSON in a text; no text at all means no arguments."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return {}
    if isinstance(given, Mapping):
        return given
    try:
        return strict.parse(given.encode() if isinstance(given, str) else b"")
    except (BadRequest, UnicodeEncodeError) as bad:
        raise BadRequest(f"{where} must be a JSON object, written as a text", param=where) from bad


def _result(message: Mapping[str, Any], names: Mapping[str, str]) -> Json:
    """A result names its tool; newer Ollamas also know its call."""
    id = message.get("tool_call_id")
    if not isinstance(id, str) or not id:
        id = ""
    name = names.get(id) or message.get("name")
    return {**({"tool_name": name} if isinstance(name, str) and name else {}), **({"tool_call_id": id} if id else {})}
