"""A chat's messages, as Anthropic's system text and alternating turns.

Source: https://platform.claude.com/docs/en/api/messages, https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ailb import strict
from ailb.errors import BadRequest
from providers.anthropic_parts import Block, blocks, marked

Turn = dict[str, Any]

_NOT_IN_IDS: Final = re.compile(r"[^a-zA-Z0-9_-]")
_THINKING: Final = ("thinking", "redacted_thinking")


def conversation(messages: Sequence[Mapping[str, Any]]) -> tuple[list[Block], list[Turn]]:
    """The system blocks and the turns. Tool results are merged into the user turn right after their calls, in front of its text.

    Raises BadRequest naming the message: a role that nobody has, a part that cannot be sent, a tool result without its call.
    """
    made = _Conversation()
    for index, message in enumerate(messages):
        made.add(message, f"messages[{index}]")
    if not made.turns:
        raise BadRequest("messages must have a user or assistant message that is not empty", param="messages")
    return made.system, [_tidy(turn, last=turn is made.turns[-1]) for turn in made.turns]


def unsigned_loop(turns: Sequence[Turn]) -> bool:
    """Whether the turns end with tool results and none of the calls that they answer came with Claude's thinking."""
    calls: list[Turn] = []
    for at in range(len(turns) - 1, 0, -2):
        if turns[at]["role"] != "user" or not _has(turns[at], ("tool_result",)):
            break
        calls.append(turns[at - 1])
    return bool(calls) and not any(_has(turn, _THINKING) for turn in calls)


def tools_used(turns: Sequence[Turn]) -> list[str]:
    """The names of the tools that were called, in order."""
    uses = [block for turn in turns for block in turn["content"] if block.get("type") == "tool_use"]
    return list(dict.fromkeys(name for block in uses if isinstance(name := block.get("name"), str)))


def _has(turn: Turn, types: Sequence[str]) -> bool:
    return any(block.get("type") in types for block in turn["content"])


class _Ids:
    """Tool-call ids in the alphabet that Anthropic takes, each once in a conversation; the same for the same conversation, always."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._open: list[tuple[str, str]] = []

    def forget(self) -> None:
        self._open.clear()

    def call(self, given: str) -> str:
        plain = _NOT_IN_IDS.sub("_", given) or "call"
        id, copy = plain, 1
        while id in self._taken:
            copy += 1
            id = f"{plain}_{copy}"
        self._taken.add(id)
        self._open.append((given, id))
        return id

    def result(self, given: str) -> str | None:
        """The id of the oldest call that has this id and no result yet."""
        for pair in self._open:
            if pair[0] == given:
                self._open.remove(pair)
                return pair[1]
        return None


class _Conversation:
    def __init__(self) -> None:
        self.system: list[Block] = []
        self.turns: list[Turn] = []
        self._ids = _Ids()

    def add(self, message: Mapping[str, Any], where: str) -> None:
        role = message.get("role")
        if role in ("system", "developer"):
            self.system += marked(blocks(message.get("content"), f"{where}.content"), message)
        elif role == "user":
            self._say("user", marked(blocks(message.get("content"), f"{where}.content"), message))
        elif role == "assistant":
            self._assistant(message, where)
        elif role in ("tool", "function"):
            self._say("user", [self._result(message, where)])
        else:
            raise BadRequest(f"{where}.role must be one of system, developer, user, assistant, tool", param=f"{where}.role")

    def _say(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += blocks
        else:
            self.turns.append({"role": role, "content": list(blocks)})

    def _assistant(self, message: Mapping[str, Any], where: str) -> None:
        if self.turns and self.turns[-1]["role"] == "user":
            self._ids.forget()
        said = blocks(message.get("content"), f"{where}.content")
        if not said:
            said = blocks(message.get("refusal"), f"{where}.refusal")
        self._say("assistant", marked([*_thinking(message), *said, *self._calls(message, where)], message))

    def _calls(self, message: Mapping[str, Any], where: str) -> list[Block]:
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise BadRequest(f"{where}.tool_calls must be a list", param=f"{where}.tool_calls")
        made = [self._call(call, f"{where}.tool_calls[{index}]") for index, call in enumerate(calls)]
        if isinstance(legacy := message.get("function_call"), Mapping):
            made.append(self._call({"id": legacy.get("name"), "function": legacy}, f"{where}.function_call"))
        return made

    def _call(self, call: Any, where: str) -> Block:
        function = call.get("function") if isinstance(call, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(name, str) or not name:
            raise BadRequest(f"{where} must be a function call with a name", param=where)
        return {"type": "tool_use", "id": self._ids.call(_id(call.get("id"))), "name": name, "input": _input(function.get("arguments"))}

    def _result(self, message: Mapping[str, Any], where: str) -> Block:
        field = "name" if message.get("role") == "function" else "tool_call_id"
        id = self._ids.result(_id(message.get(field)))
        if id is None:
            raise BadRequest(f"{where}.{field} answers no call of the assistant message before it", param=f"{where}.{field}")
        content = message.get("content")
        block: Block = {"type": "tool_result", "tool_use_id": id}
        block["content"] = content if isinstance(content, str) else blocks(content, f"{where}.content")
        if isinstance(message.get("is_error"), bool):
            block["is_error"] = message["is_error"]
        return marked([block], message)[0]


def _id(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _thinking(message: Mapping[str, Any]) -> list[Block]:
    """Claude's own thinking, as it was handed out but for a stream's `index`; without a signature Anthropic would refuse it."""
    given = message.get("thinking_blocks")
    found = [block for block in given if isinstance(block, Mapping)] if isinstance(given, list) else []
    return [
        {member: value for member, value in block.items() if member != "index"}
        for block in found
        if (block.get("type") == "thinking" and block.get("signature")) or block.get("type") == "redacted_thinking"
    ]


def _input(arguments: Any) -> dict[str, Any]:
    """The arguments as an object; those that are no JSON object are wrapped, as Anthropic advises for broken calls."""
    if isinstance(arguments, Mapping):
        return dict(arguments)
    text = arguments.strip() if isinstance(arguments, str) else ""
    if text in ("", "null"):
        return {}
    try:
        return strict.parse(text.encode(errors="replace"))
    except BadRequest:
        return {"INVALID_JSON": arguments}


def _tidy(turn: Turn, *, last: bool) -> Turn:
    if turn["role"] == "user":
        return {**turn, "content": sorted(turn["content"], key=lambda block: block.get("type") != "tool_result")}
    end = turn["content"][-1]
    if last and end.get("type") == "text":  # Anthropic refuses a prefill that ends with a space
        return {**turn, "content": [*turn["content"][:-1], {**end, "text": end["text"].rstrip()}]}
    return turn
