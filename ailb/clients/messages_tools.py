"""Anthropic's tools, tool choice and answer format, as a chat's.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools
"""

from collections.abc import Mapping
from typing import Any, Final

from ailb.errors import BadRequest

Json = dict[str, Any]

_WORDS: Final = {"auto": "auto", "any": "required", "none": "none"}


def tools(body: Mapping[str, Any]) -> Json:
    """`tools`, `tool_choice` and `parallel_tool_calls`; nothing without tools. Raises BadRequest naming the tool."""
    offered = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(body.get("tools") or ())]
    return {"tools": offered, **_choice(body.get("tool_choice"))} if offered else {}


def response_format(wanted: Any, where: str) -> Json:
    """A chat's `response_format` for Anthropic's JSON schema; nothing for None."""
    if wanted is None:
        return {}
    inner = wanted.get("json_schema", wanted) if isinstance(wanted, Mapping) else None
    schema = inner.get("schema") if isinstance(inner, Mapping) else None
    if not isinstance(schema, Mapping):
        raise BadRequest(f"{where} must be a JSON schema format with its schema", param=where)
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": _closed(schema)}}}


def _tool(tool: Mapping[str, Any], where: str) -> Json:
    kind = tool.get("type") or "custom"
    if kind != "custom":
        raise BadRequest(f"{where}: the tool {kind!r} is Anthropic's own and no other provider has it", param=f"{where}.type")
    name, schema = tool.get("name"), tool.get("input_schema")
    if not isinstance(name, str) or not name:
        raise BadRequest(f"{where} must have a name", param=f"{where}.name")
    if not isinstance(schema, Mapping):
        raise BadRequest(f"{where}.input_schema must be an object", param=f"{where}.input_schema")
    function: Json = {"name": name, "parameters": schema}
    if isinstance(tool.get("description"), str):
        function["description"] = tool["description"]
    if tool.get("strict") is True and _closed(schema):
        function["strict"] = True
    return {"type": "function", "function": function}


def _choice(given: Any) -> Json:
    if given is None:
        return {}
    kind = given.get("type") if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(kind, str) or kind not in (*_WORDS, "tool"):
        raise BadRequest("tool_choice.type must be auto, any, tool or none", param="tool_choice.type")
    name = given.get("name")
    if kind == "tool" and not (isinstance(name, str) and name):
        raise BadRequest("tool_choice must name the tool", param="tool_choice.name")
    chosen: Any = {"type": "function", "function": {"name": name}} if kind == "tool" else _WORDS[kind]
    return {"tool_choice": chosen, **({"parallel_tool_calls": False} if given.get("disable_parallel_tool_use") is True else {})}


def _closed(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes it: every object closed, and every property of it required. Anthropic asks for less."""
    if isinstance(schema, list):
        return all(_closed(inner) for inner in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, Mapping):
        names = list(properties) if isinstance(properties, Mapping) else []
        required = schema.get("required")
        if schema.get("additionalProperties") is not False or not isinstance(required, list):
            return False
        if any(name not in required for name in names):
            return False
    return all(_closed(inner) for inner in schema.values())
