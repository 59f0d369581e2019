"""Chat completions, told as Ollama tells its answers.

The durations that Ollama measures are left out: they are its own, and Ollama's own cloud leaves some out too.
Source: https://docs.ollama.com/api/chat#response, https://docs.ollama.com/api/streaming
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from ailb import strict
from ailb.dialect import Event
from ailb.errors import BadRequest, Refusal, UpstreamBroken
from ailb.prompt import Prompt
from ailb.usage import Usage

Json = dict[str, Any]


def whole(prompt: Prompt, event: Event) -> bytes:
    """Raises UpstreamBroken for a tool call that Ollama has no shape for."""
    if event.dialect == "ollama":
        return event.raw
    choice = _choice(event.data)
    said, reason = _object(choice, "message"), choice.get("finish_reason")
    message: Json = {"role": "assistant", "content": "", **_said(said)}
    if calls := _tool_calls([_Call().add(part) for part in _objects(said, "tool_calls")], reason):
        message["tool_calls"] = calls
    return strict.dumps({**_head(prompt, event.data), "message": message, **_tail(reason, event.usage)})


def error(refusal: Refusal) -> bytes:
    return strict.dumps({"error": refusal.message})


class OllamaEncoder:
    """One JSON object a line. A tool call goes out whole, so all of them wait for the end."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._head: Json = {}
        self._calls: dict[int, _Call] = {}
        self._reason: Any = None
        self._usage: Usage | None = None
        self._native = False

    def feed(self, event: Event) -> bytes:
        self._usage = event.usage or self._usage
        if event.hidden:
            return b""
        if event.dialect == "ollama":
            self._native = True
            return event.raw
        self._head = self._head or _head(self._prompt, event.data)
        choice = _choice(event.data)
        self._reason = choice.get("finish_reason") or self._reason
        delta = _object(choice, "delta")
        for part in _objects(delta, "tool_calls"):
            index = part.get("index")
            self._calls.setdefault(index if isinstance(index, int) else len(self._calls), _Call()).add(part)
        said = _said(delta)
        return self._line(said) if said else b""

    def end(self) -> bytes:
        """Raises UpstreamBroken for a tool call that Ollama has no shape for."""
        if self._native:
            return b""
        self._head = self._head or _head(self._prompt, {})
        calls = _tool_calls(self._calls.values(), self._reason)
        lines = [self._line({"tool_calls": [call]}) for call in calls]
        return b"".join([*lines, self._line({}, **_tail(self._reason, self._usage))])

    def error(self, refusal: Refusal) -> bytes:
        return error(refusal) + b"\n"

    def _line(self, said: Json, **more: Any) -> bytes:
        message = {"role": "assistant", "content": "", **said}
        return strict.dumps({**self._head, "message": message, "done": False, **more}) + b"\n"


@dataclass(slots=True)
class _Call:
    """A tool call, put together from its fragments."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def add(self, part: Mapping[str, Any]) -> Self:
        function = _object(part, "function")
        self.id = part.get("id") or self.id
        self.name = function.get("name") or self.name
        arguments = function.get("arguments") or ""
        self.arguments += arguments if isinstance(arguments, str) else strict.dumps(arguments).decode()
        return self


def _tool_calls(calls: Iterable[_Call], reason: Any) -> list[Json]:
    """A call that the token limit cut in two is left out, as Ollama does it."""
    told: list[Json] = []
    for call in calls:
        try:
            arguments = strict.parse(call.arguments.encode() or b"{}")
        except BadRequest as bad:
            if reason == "length":
                continue
            raise UpstreamBroken(f"the arguments of the call of {call.name} are not a JSON object") from bad
        told.append({"id": call.id, "function": {"index": len(told), "name": call.name, "arguments": arguments}})
    return told


def _choice(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first one; a chunk that only has the usage has none."""
    return next((choice for choice in _objects(data, "choices") if choice.get("index", 0) == 0), {})


def _objects(data: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    value = data.get(field)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _object(data: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = data.get(field)
    return value if isinstance(value, Mapping) else {}


def _said(part: Mapping[str, Any]) -> Json:
    """What there is of `content` and `thinking` in a message or delta."""
    content = part.get("content") or part.get("refusal")
    thinking = part.get("reasoning_content") or part.get("reasoning")
    return {name: text for name, text in (("content", content), ("thinking", thinking)) if text and isinstance(text, str)}


def _head(prompt: Prompt, data: Mapping[str, Any]) -> Json:
    created = datetime.fromtimestamp(prompt.received, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"model": data.get("model") or prompt.model, "created_at": created}


def _tail(reason: Any, usage: Usage | None) -> Json:
    counts = {} if usage is None else {"prompt_eval_count": usage.input, "eval_count": usage.output}
    return {"done": True, "done_reason": "length" if reason == "length" else "stop", **counts}
