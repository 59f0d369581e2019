"""Anthropic's system text and turns, as chat messages.

Source: https://platform.claude.com/docs/en/api/messages, https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls
"""

from collections.abc import Mapping
from typing import Any, Final

from ailb import strict
from ailb.clients.messages_blocks import Block, Part, content, listed, parts, string, unknown
from ailb.errors import BadRequest

Message = dict[str, Any]

_SERVED: Final = ("server_tool_use", "mcp_tool_use")


def conversation(body: Mapping[str, Any]) -> list[Message]:
    """Raises BadRequest naming what cannot be said in a chat."""
    made = _system(body.get("system"), "system")
    for index, message in enumerate(body["messages"]):
        made += _turn(message, f"messages[{index}]")
    return made


def _turn(message: Mapping[str, Any], where: str) -> list[Message]:
    role = message.get("role")
    inside = f"{where}.content"
    if role == "user":
        return _user(message.get("content"), inside)
    if role == "assistant":
        return [_assistant(message.get("content"), inside)]
    if role == "system":
        return _system(message.get("content"), inside)
    raise BadRequest(f"{where}.role must be user or assistant", param=f"{where}.role")


def _system(given: Any, where: str) -> list[Message]:
    said = [part for block, place in listed(given, where) for part in parts(block, place)]
    return [{"role": "system", "content": content(said)}] if said else []


def _user(given: Any, where: str) -> list[Message]:
    """The results of tools as messages of their own, then what else the user said."""
    results: list[Message] = []
    said: list[Part] = []
    for block, place in listed(given, where):
        if block.get("type") == "tool_result":
            result, shown = _result(block, place)
            results.append(result)
            said += shown
        else:
            said += parts(block, place)
    return [*results, {"role": "user", "content": content(said)}] if said or not results else results


def _result(block: Block, where: str) -> tuple[Message, list[Part]]:
    """The tool's message, and what it cannot hold: a tool answers in text, so its pictures are shown by the user."""
    id = string(block, "tool_use_id", where)
    given = [part for inner, place in listed(block.get("content"), f"{where}.content") for part in parts(inner, place)]
    text = "\n\n".join(part["text"] for part in given if part["type"] == "text")
    if block.get("is_error") is True and not text.lower().startswith("error"):
        text = f"Error: {text}"
    shown = [part for part in given if part["type"] != "text"]
    if shown:
        shown.insert(0, {"type": "text", "text": f"From the result of tool call {id}:"})
    return {"role": "tool", "tool_call_id": id, "content": text}, shown


def _assistant(given: Any, where: str) -> Message:
    made = _Said()
    for block, place in listed(given, where):
        made.add(block, place)
    return made.message()


class _Said:
    """The assistant's blocks, sorted into the members of one message; a server's tools were nobody's to answer and are left out."""

    def __init__(self) -> None:
        self._text = ""
        self._reasoning = ""
        self._thinking: list[Block] = []
        self._calls: list[dict[str, Any]] = []

    def add(self, block: Block, where: str) -> None:
        kind = block.get("type")
        if kind == "text":
            self._text += string(block, "text", where)
        elif kind == "thinking":
            self._reasoning += string(block, "thinking", where)
            if block.get("signature"):
                self._thinking.append(block)
        elif kind == "redacted_thinking":
            self._thinking.append(block)
        elif kind == "tool_use":
            self._calls.append(_call(block, where))
        elif kind == "tool_result" or (kind not in _SERVED and not str(kind).endswith("_tool_result")):
            raise unknown(block, where)

    def message(self) -> Message:
        made: Message = {"role": "assistant", "content": self._text or (None if self._calls else "")}
        if self._reasoning:
            made["reasoning_content"] = self._reasoning
        if self._thinking:
            made["thinking_blocks"] = self._thinking
        if self._calls:
            made["tool_calls"] = self._calls
        return made


def _call(block: Block, where: str) -> dict[str, Any]:
    given = block.get("input")
    if not isinstance(given, Mapping | None):
        raise BadRequest(f"{where}.input must be an object", param=f"{where}.input")
    function = {"name": string(block, "name", where), "arguments": strict.dumps(given or {}).decode()}
    return {"id": string(block, "id", where), "type": "function", "function": function}
