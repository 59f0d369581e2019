"""Chat completions, made from parts: what a dialect that is not OpenAI's builds its answers with.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from typing import Any

from ailb.dialect import Event
from ailb.usage import Usage


class Chunks:
    """The chunks of one streamed chat completion: same id, model and time in each.

    `wants_usage` as the client asked: with it every chunk carries `usage: null` and the last one the numbers with `choices: []`.
    Without it the last one is hidden from the client.
    """

    def __init__(self, id: str, model: str, created: int, *, wants_usage: bool) -> None:
        self._base: dict[str, Any] = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._wants_usage = wants_usage
        self._nothing: dict[str, Any] = {"usage": None} if wants_usage else {}

    def delta(self, delta: dict[str, Any], finish: str | None = None, **extra: Any) -> Event:
        """`delta` e.g. `{"role": "assistant", "content": ""}`, `{"content": "..."}`, `{"reasoning_content": "..."}`."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Event.chunk({**self._base, "choices": [choice], **self._nothing, **extra})

    def tool(self, index: int, id: str, name: str, arguments: str = "") -> Event:
        """The beginning of a tool call, or all of it."""
        function = {"name": name, "arguments": arguments}
        return self.delta({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]})

    def arguments(self, index: int, fragment: str) -> Event:
        return self.delta({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]})

    def usage(self, usage: Usage, **extra: Any) -> Event:
        """`extra` goes into the usage object."""
        data = {**self._base, "choices": [], "usage": {**usage.chat(), **extra}}
        return Event.chunk(data, usage, hidden=not self._wants_usage)


def completion(id: str, model: str, created: int, message: dict[str, Any], *, finish: str, usage: Usage, **extra: Any) -> Event:
    """A whole chat completion with one choice. `message` without its role."""
    message = {"role": "assistant", "content": None, "refusal": None, **message}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    base = {"id": id, "object": "chat.completion", "created": created, "model": model}
    return Event.whole({**base, "choices": [choice], "usage": usage.chat(), **extra}, usage)
