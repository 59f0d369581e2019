"""What a chat completion says, in the words of Anthropic's Messages; for whole answers and for streams.

Compatible servers have several names for the same thing; all of them are read here.
Sources: https://platform.openai.com/docs/api-reference/chat, https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from ailb.dialect import Event
from ailb.usage import Usage

Json = dict[str, Any]

_NOT_IN_IDS: Final = re.compile(r"[^a-zA-Z0-9_-]")


def head(data: Mapping[str, Any], usage: Mapping[str, Any]) -> Json:
    """A Message that has said nothing yet."""
    id = _NOT_IN_IDS.sub("_", text(data.get("id")).removeprefix("chatcmpl-"))
    return {
        "id": id if id.startswith("msg_") else f"msg_{id or 0}",
        "type": "message",
        "role": "assistant",
        "model": text(data.get("model")),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def choice(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for one in entries(data, "choices"):
        if one.get("index", 0) in (0, None):
            return one
    return None


def said(part: Mapping[str, Any]) -> str:
    """The text of a message or a delta. A refusal is what was said instead."""
    content = part.get("content")
    if isinstance(content, list):
        content = "".join(text(one.get("text")) for one in entries(part, "content"))
    return text(content) + text(part.get("refusal"))


def reasoning(part: Mapping[str, Any]) -> str:
    """DeepSeek's `reasoning_content`, Groq's `reasoning`, Snowflake's `reasoning_details`, or Mistral's parts of type `thinking`."""
    found = text(part.get("reasoning_content")) or text(part.get("reasoning"))
    if found:
        return found
    if details := entries(part, "reasoning_details"):
        return "".join(text(one.get("text")) or text(one.get("summary")) for one in details)
    thoughts = [one for one in entries(part, "content") if one.get("type") == "thinking"]
    return "".join(text(one.get("text")) for thought in thoughts for one in entries(thought, "thinking"))


def thoughts(part: Mapping[str, Any]) -> list[Json]:
    """Claude's own thinking blocks, but for a stream's `index`."""
    kept = [block for block in entries(part, "thinking_blocks") if block.get("type") in ("thinking", "redacted_thinking")]
    return [{member: value for member, value in block.items() if member != "index"} for block in kept]


def call_id(given: Any, message: str, number: int) -> str:
    """In the alphabet that Anthropic takes; where there is none, one that only this call has."""
    return _NOT_IN_IDS.sub("_", text(given)) or f"toolu_{message.removeprefix('msg_')}_{number}"


def ending(choice: Mapping[str, Any], stops: Any, *, calls: bool, refused: bool) -> Json:
    """`stop_reason` and `stop_sequence`. That there are calls counts for more than the word, but an answer that was cut was cut.

    Which stop sequence it was is known only where the server tells, as vLLM does.
    """
    finish, stop = choice.get("finish_reason"), choice.get("stop_reason")
    sequence = None
    if finish == "length":
        reason = "max_tokens"
    elif finish == "content_filter":
        reason = "refusal"
    elif calls:
        reason = "tool_use"
    elif refused:
        reason = "refusal"
    elif isinstance(stop, str) and isinstance(stops, list) and stop in stops:
        reason, sequence = "stop_sequence", stop
    else:
        reason = "end_turn"
    return {"stop_reason": reason, "stop_sequence": sequence}


def usage(event: Event) -> Json | None:
    """What the event reports, in Anthropic's way of counting: `input_tokens` leave out what the cache read or wrote."""
    given = event.data.get("usage")
    if event.usage is None and not isinstance(given, Mapping):
        return None
    report = given if isinstance(given, Mapping) else {}
    made = counted(event.usage or Usage.of_chat(report))
    return {**made, "cost": report["cost"]} if "cost" in report else made


def counted(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input - usage.cached - usage.cache_written,
        "cache_creation_input_tokens": usage.cache_written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    }


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def entries(part: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    value = part.get(field)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
