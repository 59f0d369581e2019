"""Ollama's answers, told as chat completions.

Source: https://docs.ollama.com/api/chat#response
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from ailb import strict
from ailb.chat import completion
from ailb.dialect import Event
from ailb.errors import UpstreamBroken
from ailb.usage import Usage, count
from providers.ollama_errors import refused


class Call(NamedTuple):
    """A tool call; `arguments` is JSON."""

    id: str
    name: str
    arguments: str


class Calls:
    """The tool calls of one answer. An id that is missing, or that stood before, is made from the answer's id and the call's position."""

    def __init__(self, answer_id: str) -> None:
        self._answer_id = answer_id
        self.ids: list[str] = []

    def take(self, given: Any) -> list[Call]:
        """From a message's `tool_calls`. Raises UpstreamBroken for what is no call."""
        if given is not None and not isinstance(given, list):
            raise UpstreamBroken("the provider's tool calls cannot be read")
        return [self._call(call) for call in given or ()]

    def _call(self, call: Any) -> Call:
        function = call.get("function") if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name:
            raise UpstreamBroken("the provider's tool call has no name")
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            arguments = strict.dumps(arguments or {}).decode()
        return Call(self._id(call.get("id")), name, arguments or "{}")

    def _id(self, given: Any) -> str:
        id = given if isinstance(given, str) else ""
        if not id or id in self.ids:
            id = "call_" + _digest(self._answer_id, str(len(self.ids)))
        self.ids.append(id)
        return id


def answer(body: bytes) -> dict[str, Any]:
    """An unstreamed answer. Raises UpstreamBroken, or UpstreamRefusal for an error that came with status 200."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as bad:
        raise UpstreamBroken("the provider's answer is not JSON") from bad
    if not isinstance(data, dict):
        raise UpstreamBroken("the provider's answer is not an object")
    if data.get("error"):
        raise refused(data)
    if not isinstance(data.get("message"), dict):
        raise UpstreamBroken("the provider's answer has no message")
    return data


def chat(data: Mapping[str, Any], created: int) -> Event:
    """The answer as a chat completion. Raises UpstreamBroken."""
    said = message(data)
    id = answer_id(data)
    calls = Calls(id).take(said.get("tool_calls"))
    content = text(said.get("content"))
    told: dict[str, Any] = {"content": content or (None if calls else "")}
    if thinking := text(said.get("thinking")):
        told["reasoning_content"] = thinking
    if calls:
        told["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in calls
        ]
    return completion(id, text(data.get("model")), created, told, finish=finish(data, called=bool(calls)), usage=usage(data))


def message(data: Mapping[str, Any]) -> Mapping[str, Any]:
    value = data.get("message")
    return value if isinstance(value, Mapping) else {}


def usage(data: Mapping[str, Any]) -> Usage:
    """From a last line. The count of the prompt may be missing where it was cached."""
    return Usage(input=count(data.get("prompt_eval_count")), output=count(data.get("eval_count")))


def finish(data: Mapping[str, Any], *, called: bool) -> str:
    """Ollama says `stop` for tool calls too, and `load` or `unload` where there was nothing to answer."""
    if data.get("done_reason") == "length":
        return "length"
    return "tool_calls" if called else "stop"


def answer_id(data: Mapping[str, Any]) -> str:
    """Ollama has no ids; its clock ticks in nanoseconds."""
    return "chatcmpl-" + _digest(text(data.get("model")), text(data.get("created_at")))


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _digest(*parts: str) -> str:
    return hashlib.blake2s("\n".join(parts).encode(), digest_size=12).hexdigest()
