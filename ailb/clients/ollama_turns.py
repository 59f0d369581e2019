"""Ollama's messages, as those of a chat completion, and chat messages put among Ollama's.

Source: https://docs.ollama.com/api/chat
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ailb import strict

Json = dict[str, Any]

_MAGIC: Final = {"iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp", "Qk": "image/bmp"}
"""How the base64 of each kind begins."""


def conversation(messages: Sequence[Mapping[str, Any]]) -> list[Json]:
    calls = _Calls()
    return [_message(message, calls) for message in messages]


def native(message: Mapping[str, Any]) -> Json:
    """A chat message without images, as Ollama's."""
    content, role = message.get("content"), message.get("role")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping)]
        content = "\n".join(text for text in texts if isinstance(text, str))
    made: Json = {"role": "system" if role == "developer" else role, "content": content or ""}
    if thought := message.get("reasoning_content"):
        made["thinking"] = thought
    if calls := message.get("tool_calls"):
        made["tool_calls"] = [_native_call(call) for call in calls]
    if id := message.get("tool_call_id"):
        made["tool_call_id"] = id
    return made


def _native_call(call: Mapping[str, Any]) -> Json:
    function = call["function"]
    arguments = strict.loosely(str(function.get("arguments")).encode(errors="replace"))
    return {"id": call.get("id"), "function": {"name": function.get("name"), "arguments": arguments or {}}}


class _Calls:
    """The calls of a conversation. Most have no ids: they are numbered, and a result belongs to the first open call of its tool."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Any]] = []
        self._ids: set[str] = set()

    def call(self, call: Any) -> Any:
        if not isinstance(call, Mapping) or not isinstance(call.get("function"), Mapping):
            return call
        function = call["function"]
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            arguments = strict.dumps(arguments or {}).decode()
        id = self._id(call.get("id"))
        self._open.append((id, function.get("name")))
        return {"id": id, "type": "function", "function": {"name": function.get("name"), "arguments": arguments}}

    def result(self, message: Mapping[str, Any]) -> str:
        given = message.get("tool_call_id")
        tool = message.get("tool_name") or message.get("name")
        for place, (id, name) in enumerate(self._open):
            if id == given if given else tool in (None, name):
                del self._open[place]
                return id
        return self._id(given)

    def _id(self, given: Any) -> str:
        id = given if isinstance(given, str) and given and given not in self._ids else f"call_{len(self._ids)}"
        while id in self._ids:
            id += "_"
        self._ids.add(id)
        return id


def _message(message: Mapping[str, Any], calls: _Calls) -> Json:
    made: Json = {"role": message.get("role"), "content": _content(message)}
    if thinking := message.get("thinking"):
        made["reasoning_content"] = thinking
    if given := message.get("tool_calls"):
        made["tool_calls"] = [calls.call(call) for call in given] if isinstance(given, list) else given
    if message.get("role") == "tool":
        made["tool_call_id"] = calls.result(message)
    return made


def _content(message: Mapping[str, Any]) -> Any:
    content, images = message.get("content"), message.get("images")
    if not isinstance(images, list) or not images:
        return "" if content is None else content
    texts = [{"type": "text", "text": content}] if content else []
    return [*texts, *({"type": "image_url", "image_url": {"url": _data_url(image)}} for image in images)]


def _data_url(image: Any) -> Any:
    if not isinstance(image, str) or image.startswith("data:"):
        return image
    media = next((media for magic, media in _MAGIC.items() if image.startswith(magic)), "image/png")
    return f"data:{media};base64,{image}"
