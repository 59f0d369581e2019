"""A whole chat completion, as Anthropic's Message.

Source: https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Mapping
from typing import Any

from ailb import strict
from ailb.clients.messages_chat import call_id, choice, counted, ending, entries, head, reasoning, said, text, thoughts, usage
from ailb.dialect import Event
from ailb.errors import BadRequest
from ailb.usage import Usage

Json = dict[str, Any]


def message(event: Event, stops: Any = None) -> Json:
    """`stops`: the client's stop sequences."""
    made = head(event.data, usage(event) or counted(Usage()))
    chosen = choice(event.data) or {}
    given = chosen.get("message")
    answer: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    calls = [_call(call, call_id(call.get("id"), made["id"], n)) for n, call in enumerate(entries(answer, "tool_calls"))]
    made["content"] = [*_thinking(answer), *_text(answer), *calls]
    return made | ending(chosen, stops, calls=bool(calls), refused=bool(text(answer.get("refusal"))))


def _thinking(answer: Mapping[str, Any]) -> list[Json]:
    """A foreign model's thinking has no signature, but the member may not be missing."""
    if own := thoughts(answer):
        return own
    thought = reasoning(answer)
    return [{"type": "thinking", "thinking": thought, "signature": ""}] if thought else []


def _text(answer: Mapping[str, Any]) -> list[Json]:
    words = said(answer)
    return [{"type": "text", "text": words}] if words else []


def _call(call: Mapping[str, Any], id: str) -> Json:
    given = call.get("function")
    function = given if isinstance(given, Mapping) else {}
    return {"type": "tool_use", "id": id, "name": text(function.get("name")), "input": _input(function.get("arguments"))}


def _input(arguments: Any) -> Mapping[str, Any]:
    """The arguments as an object; those that are none are wrapped, as Anthropic advises for broken calls."""
    if isinstance(arguments, Mapping):
        return arguments
    given = text(arguments).strip()
    if given in ("", "null"):
        return {}
    try:
        return strict.parse(given.encode(errors="replace"))
    except BadRequest:
        return {"INVALID_JSON": arguments}
