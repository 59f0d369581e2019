"""A chat's tools, tool choice and answer format, as Anthropic's.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools
"""

from collections.abc import Mapping
from typing import Any, Final

from ailb.errors import BadRequest
from providers.anthropic_models import Abilities
from providers.anthropic_schema import closed

JSON_TOOL: Final = "ailb_json_answer"
"""The tool that a model without structured output is made to call; its input is the answer."""

JSON_ONLY: Final = "Answer with one JSON object and nothing else: no text around it, no code fence."

_ANY_OBJECT: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}
_WORDS: Final = {"none": "none", "auto": "auto", "required": "any"}


def tools(chat: Mapping[str, Any], able: Abilities) -> list[dict[str, Any]]:
    """Raises BadRequest naming the tool. Anthropic's own tools pass as they are."""
    given = _list(chat, "tools")
    made = [_tool(tool, able, f"tools[{index}]") for index, tool in enumerate(given)]
    legacy = [_function(tool, able, f"functions[{index}]") for index, tool in enumerate(_list(chat, "functions"))]
    allowed = _allowed(chat.get("tool_choice"))
    return [tool for tool in made + legacy if allowed is None or tool.get("name") in allowed]


def choice(chat: Mapping[str, Any]) -> dict[str, Any] | None:
    """Anthropic's `tool_choice`; None for its default."""
    made = _choice(chat.get("tool_choice"), "tool_choice") or _choice(chat.get("function_call"), "function_call")
    one_at_a_time = chat.get("parallel_tool_calls") is False or legacy(chat)
    if one_at_a_time and (made is None or made.get("type") != "none"):
        return {**(made or {"type": "auto"}), "disable_parallel_tool_use": True}
    return made


def legacy(chat: Mapping[str, Any]) -> bool:
    """Whether the client knows only `functions`, one call an answer."""
    return bool(chat.get("functions")) and not chat.get("tools")


def forced(choice: Any) -> bool:
    return isinstance(choice, Mapping) and choice.get("type") in ("any", "tool")


def answer_schema(chat: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON schema that the answer must have; an empty one for any object; None where text is asked for."""
    wanted = chat.get("response_format")
    if wanted is None:
        return None
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind == "text":
        return None
    if kind not in ("json_schema", "json_object"):
        raise BadRequest("response_format.type must be text, json_object or json_schema", param="response_format.type")
    inner = wanted.get("json_schema")
    schema = (inner if isinstance(inner, Mapping) else wanted).get("schema")
    return schema if isinstance(schema, Mapping) else {}


def json_tool(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": JSON_TOOL, "description": "Gives the answer. Call it exactly once.", "input_schema": _object(schema)}


def _list(chat: Mapping[str, Any], field: str) -> list[Any]:
    value = chat.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"{field} must be a list", param=field)
    return value


def _tool(tool: Any, able: Abilities, where: str) -> dict[str, Any]:
    if not isinstance(tool, Mapping):
        raise BadRequest(f"{where} must be an object", param=where)
    if tool.get("type") == "function":
        made = _function(tool.get("function"), able, f"{where}.function")
        return {**made, "cache_control": tool["cache_control"]} if tool.get("cache_control") else made
    if tool.get("type") == "custom" and "custom" in tool:
        raise BadRequest(f"{where}: this provider has no custom tools with free text", param=f"{where}.type")
    return dict(tool)


def _function(function: Any, able: Abilities, where: str) -> dict[str, Any]:
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(name, str) or not name:
        raise BadRequest(f"{where} must have a name", param=f"{where}.name")
    made: dict[str, Any] = {"name": name}
    if isinstance(function.get("description"), str):
        made["description"] = function["description"]
    made["input_schema"] = _object(function.get("parameters"))
    if function.get("strict") is True and able.structured:
        made |= {"input_schema": closed(made["input_schema"]), "strict": True}
    if function.get("cache_control"):
        made["cache_control"] = function["cache_control"]
    return made


def _object(schema: Any) -> dict[str, Any]:
    """Anthropic wants the word "object" in every tool's schema."""
    if not isinstance(schema, Mapping) or not schema:
        return dict(_ANY_OBJECT)
    return dict(schema) if schema.get("type") else {"type": "object", **schema, **({"type": "object"} if "type" in schema else {})}


def _choice(given: Any, where: str) -> dict[str, Any] | None:
    if isinstance(given, Mapping):
        given = given if (mode := _mode(given)) is None else mode
    if given is None:
        return None
    if isinstance(given, str) and given in _WORDS:
        return {"type": _WORDS[given]}
    if isinstance(given, Mapping):
        function = given.get("function", given)
        name = function.get("name") if isinstance(function, Mapping) else None
        if isinstance(name, str) and name:
            return {**{k: v for k, v in given.items() if k == "disable_parallel_tool_use"}, "type": "tool", "name": name}
        if given.get("type") in ("auto", "any", "none"):
            return dict(given)
    raise BadRequest(f"{where} must be none, auto, required or name a function", param=where)


def _mode(given: Mapping[str, Any]) -> Any:
    """`auto` or `required` of a choice among allowed tools; None for any other choice."""
    inner = given.get("allowed_tools")
    return inner.get("mode", "auto") if isinstance(inner, Mapping) else None


def _allowed(given: Any) -> list[Any] | None:
    inner = given.get("allowed_tools") if isinstance(given, Mapping) else None
    listed = inner.get("tools") if isinstance(inner, Mapping) else None
    if not isinstance(listed, list):
        return None
    functions = [tool.get("function", tool) for tool in listed if isinstance(tool, Mapping)]
    return [function.get("name") for function in functions if isinstance(function, Mapping)]
