"""Chat messages, put into a conversation of Anthropic's shape.

It begins with the user, its turns alternate, and the results of tools follow right after their calls.
Source: https://platform.claude.com/docs/en/api/messages
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import dropwhile, takewhile
from typing import Any, Final

from ailb import strict

_NOT_IN_IDS: Final = re.compile(r"[^a-zA-Z0-9_-]")

Block = dict[str, Any]
Turn = Mapping[str, Any]


def injected(body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The members of `body` that change: `messages`, and `system` where there is something for it."""
    present: list[Turn] = body["messages"]
    turns = [turn for message in messages if (turn := _turn(message))["content"]]
    told = [m for m in messages if m.get("role") in ("system", "developer")]
    told += takewhile(_assistant, turns)  # nobody spoke before: what the assistant is to have said has no turn
    turns = list(dropwhile(_assistant, turns))
    made: dict[str, Any] = {"messages": [*_alternating([*turns, *present[:1]]), *present[1:]]}
    if system := [block for message in told for block in _blocks(message)]:
        made["system"] = [*listed(body.get("system")), *system]
    return made


def said_last(turn: Turn) -> list[Any]:
    """The blocks of a turn of the user's behind the results of tools, which come first. Anthropic refuses them anywhere else."""
    blocks = listed(turn.get("content"))
    results = [at for at, block in enumerate(blocks) if isinstance(block, Mapping) and block.get("type") == "tool_result"]
    return blocks[results[-1] + 1 :] if results else blocks


def _assistant(turn: Turn) -> bool:
    return turn.get("role") == "assistant"


def _turn(message: Mapping[str, Any]) -> dict[str, Any]:
    """Without content where a turn has no place for it."""
    role = message.get("role")
    if role == "tool":
        return {"role": "user", "content": _result(message)}
    if role == "assistant":
        return {"role": "assistant", "content": [*_thinking(message), *_blocks(message), *_uses(message)]}
    return {"role": "user", "content": _blocks(message) if role == "user" else []}


def _thinking(message: Mapping[str, Any]) -> list[Block]:
    """Claude's own; Anthropic would refuse it without its signature."""
    blocks = [block for block in listed(message.get("thinking_blocks")) if isinstance(block, Mapping)]
    return [dict(block) for block in blocks if block.get("signature") or block.get("type") == "redacted_thinking"]


def _uses(message: Mapping[str, Any]) -> list[Block]:
    made: list[Block] = []
    for call in listed(message.get("tool_calls")):
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping) and function.get("name"):
            given = strict.loosely(str(function.get("arguments")).encode(errors="replace"))
            input = given if isinstance(given, dict) else {}
            made.append({"type": "tool_use", "id": _id(call.get("id")), "name": function["name"], "input": input})
    return made


def _result(message: Mapping[str, Any]) -> list[Block]:
    if not message.get("tool_call_id"):
        return []
    return [{"type": "tool_result", "tool_use_id": _id(message["tool_call_id"]), "content": _blocks(message)}]


def _id(given: Any) -> str:
    return _NOT_IN_IDS.sub("_", str(given))


def _alternating(turns: Iterable[Turn]) -> list[Turn]:
    """Neighbours of the same role become one turn; Anthropic would do the same."""
    made: list[Turn] = []
    for turn in turns:
        if made and made[-1].get("role") == turn.get("role"):
            before = made.pop()
            turn = {**before, "content": [*listed(before.get("content")), *listed(turn.get("content"))]}
        made.append(turn)
    return made


def _blocks(message: Mapping[str, Any]) -> list[Block]:
    """The text of a chat message, as text blocks; empty ones would be refused."""
    texts = [part.get("text") for part in listed(message.get("content")) if isinstance(part, Mapping)]
    return [{"type": "text", "text": text} for text in texts if isinstance(text, str) and text.strip()]


def listed(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content if isinstance(content, list) else []
