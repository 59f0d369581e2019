"""Chat messages, put into a conversation of Anthropic's shape.

It begins with the user, its turns alternate, and the results of tools follow right after their calls.
Source: https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import dropwhile, takewhile
from typing import Any

Block = dict[str, Any]
Turn = Mapping[str, Any]


def injected(body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], *, before_last: bool) -> dict[str, Any]:
    """The members of `body` that change: `messages`, and `system` where there is something for it."""
    present: list[Turn] = body["messages"]
    at = _last_question(present) if before_last else 0
    turns = [{"role": m.get("role"), "content": _blocks(m)} for m in messages if m.get("role") in ("user", "assistant") and _blocks(m)]
    told = [m for m in messages if m.get("role") in ("system", "developer")]
    if at == 0:  # nobody spoke before: what the assistant is to have said has no turn
        told += takewhile(_assistant, turns)
        turns = list(dropwhile(_assistant, turns))
    made: dict[str, Any] = {"messages": _alternating([*present[:at], *turns, *present[at:]])}
    if system := [block for message in told for block in _blocks(message)]:
        made["system"] = [*_listed(body.get("system")), *system]
    return made


def _last_question(turns: Sequence[Turn]) -> int:
    """The place of the last turn that does not answer calls."""
    at = len(turns) - 1
    while at > 0 and _answers(turns[at]):
        at -= 2
    return max(at, 0)


def _answers(turn: Turn) -> bool:
    return any(isinstance(block, Mapping) and block.get("type") == "tool_result" for block in _listed(turn.get("content")))


def _assistant(turn: Turn) -> bool:
    return turn.get("role") == "assistant"


def _alternating(turns: Iterable[Turn]) -> list[Turn]:
    """Neighbours of the same role become one turn; Anthropic would do the same."""
    made: list[Turn] = []
    for turn in turns:
        if made and made[-1].get("role") == turn.get("role"):
            before = made.pop()
            turn = {**before, "content": [*_listed(before.get("content")), *_listed(turn.get("content"))]}
        made.append(turn)
    return made


def _blocks(message: Mapping[str, Any]) -> list[Block]:
    """The text of a chat message, as text blocks; empty ones would be refused."""
    listed = _listed(message.get("content"))
    texts = [part.get("text") for part in listed if isinstance(part, Mapping)]
    return [{"type": "text", "text": text} for text in texts if isinstance(text, str) and text.strip()]


def _listed(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content if isinstance(content, list) else []
