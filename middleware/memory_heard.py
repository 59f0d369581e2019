"""An answer, put together from its events as they pass: one message of a chat, whatever its dialect."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ailb import strict
from ailb.dialect import Event
from middleware.memory_messages import Message, cut

MOST: Final = 1_000_000
"""Characters of an answer that are listened to."""

_WORDS: Final = frozenset({"role", "content"})
_DELTAS: Final = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature", "input_json_delta": "partial_json"}


class Heard:
    """`see` is for `reply.each`. Of several choices the first one is the answer. `at_end` is called once it has said that it is over."""

    __slots__ = ("_at_end", "_blocks", "_calls", "_size", "_thinking", "_thought", "_words", "ended")

    def __init__(self, at_end: Callable[[], None] = lambda: None) -> None:
        self.ended = False
        self._at_end = at_end
        self._words: list[str] = []
        self._thought: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._thinking: list[dict[str, Any]] = []
        self._blocks: dict[int, dict[str, Any]] = {}
        self._size = 0

    def see(self, event: Event) -> Event:
        data = event.data
        if self._size < MOST:
            self._size += len(event.raw)
            if event.dialect == "messages":
                self._take_anthropic(data)
            elif event.dialect == "ollama":
                self._take_message(_mapping(data.get("message")))
            else:
                self._take_chat(data)
        if not self.ended and _is_end(event.dialect, data):
            self.ended = True
            self._at_end()
        return event

    def message(self, *, cut_off: bool) -> Message | None:
        """None where nothing was said. A call of which a part is missing is none."""
        self._take_blocks()
        text, thought = "".join(self._words), "".join(self._thought)
        calls = [call for _, call in sorted(self._calls.items()) if _is_whole(call)]
        if not text and (cut_off or not calls):
            return None
        made: Message = {"role": "assistant", "content": _clean(cut(text)) or None}
        if thought:
            made["reasoning_content"] = _clean(cut(thought))
        if self._thinking and not cut_off:
            made["thinking_blocks"] = self._thinking
        if calls and not cut_off:
            made["tool_calls"] = calls
        return made

    def _take_chat(self, data: Mapping[str, Any]) -> None:
        for choice in _listed(data.get("choices")):
            if choice.get("index", 0) == 0:
                self._take_message(_mapping(choice.get("delta") or choice.get("message")))

    def _take_message(self, part: Mapping[str, Any]) -> None:
        """OpenAI's or Ollama's, or a piece of one."""
        text = part.get("content") or part.get("refusal")
        if isinstance(text, str):
            self._words.append(text)
        thought = part.get("reasoning_content") or part.get("reasoning") or part.get("thinking")
        if isinstance(thought, str):
            self._thought.append(thought)
        if part.keys() - _WORDS:  # most pieces of a stream are a few letters and nothing else
            self._take_rest(part)

    def _take_rest(self, part: Mapping[str, Any]) -> None:
        for block in _listed(part.get("thinking_blocks")):
            self._thinking.append({name: value for name, value in block.items() if name != "index"})
        for call in _listed(part.get("tool_calls")):
            self._take_call(call)
        if isinstance(part.get("function_call"), dict):
            self._take_call({"index": 0, "id": "call_0", "function": part["function_call"]})

    def _take_call(self, part: Mapping[str, Any]) -> None:
        index = part.get("index")
        place = index if isinstance(index, int) else len(self._calls)
        made = self._calls.setdefault(place, {"id": f"call_{place}", "type": "function", "function": {"name": "", "arguments": ""}})
        made["id"] = _text(part.get("id")) or made["id"]
        given = _mapping(part.get("function"))
        made["function"]["name"] = _text(given.get("name")) or made["function"]["name"]
        arguments = given.get("arguments")
        made["function"]["arguments"] += arguments if isinstance(arguments, str) else strict.dumps(arguments).decode() if arguments else ""

    def _take_anthropic(self, data: Mapping[str, Any]) -> None:
        """A whole Message, or an event of a stream."""
        for place, block in enumerate(_listed(data.get("content"))):
            self._blocks[place] = dict(block)
        index = data.get("index")
        if not isinstance(index, int):
            return
        if isinstance(data.get("content_block"), dict):
            self._blocks[index] = dict(data["content_block"])
        delta = _mapping(data.get("delta"))
        member = _DELTAS.get(str(delta.get("type")))
        if member and isinstance(delta.get(member), str):
            block = self._blocks.setdefault(index, {"type": member})
            block.setdefault("pieces", {}).setdefault(member, []).append(delta[member])

    def _take_blocks(self) -> None:
        blocks, self._blocks = self._blocks, {}
        for place, block in sorted(blocks.items()):
            grown = {member: "".join(pieces) for member, pieces in block.pop("pieces", {}).items()}
            kind = block.get("type")
            whole = block | {member: str(block.get(member) or "") + text for member, text in grown.items() if member != "partial_json"}
            if kind == "text" and isinstance(whole.get("text"), str):
                self._words.append(whole["text"])
            elif kind == "thinking" and isinstance(whole.get("thinking"), str):
                self._thought.append(whole["thinking"])
            if kind in ("thinking", "redacted_thinking") and (whole.get("signature") or whole.get("data")):
                self._thinking.append(whole)
            if kind == "tool_use":
                arguments = grown.get("partial_json") or strict.dumps(block.get("input") or {}).decode()
                function = {"name": block.get("name"), "arguments": arguments}
                self._take_call({"index": place, "id": block.get("id"), "function": function})


def _is_end(dialect: str, data: Mapping[str, Any]) -> bool:
    if dialect == "messages":
        return data.get("type") in ("message_delta", "message_stop", "message")
    if dialect == "ollama":
        return data.get("done") is True
    choices = data.get("choices")
    return bool(choices) and any(choice.get("finish_reason") for choice in _listed(choices))


def _is_whole(call: Mapping[str, Any]) -> bool:
    function = call["function"]
    return bool(function["name"]) and isinstance(strict.loosely(function["arguments"].encode(errors="replace") or b"{}"), dict)


def _clean(text: str) -> str:
    """Without halves of surrogate pairs, which an upstream's JSON can have in it, and which nobody can write down."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
