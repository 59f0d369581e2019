"""Messages as they are remembered: words, calls of tools and their results, reasoning. Pure.

Pictures, sound and files become references: what was sent once is not sent again with every request, and an address may be gone by then.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import orjson

from ailb import strict
from ailb.sessions import words

Message = dict[str, Any]

MOST_TEXT: Final = 64 * 1024
"""Characters of one message that are kept."""

MOST_ADDRESS: Final = 500
AROUND: Final = 4
"""Tokens around a message."""

REASONING: Final = ("reasoning_content", "thinking_blocks")
_KEPT: Final = ("tool_calls", "tool_call_id", "name", *REASONING)
_ENDS: Final = 4096
"""Characters at both ends of what is sent along that tell it from others."""


def kept(message: Mapping[str, Any]) -> Message:
    """A chat message as it is remembered: its content is a text, or None."""
    made: Message = {"role": message.get("role"), "content": _content(message)}
    made.update((name, message[name]) for name in _KEPT if message.get(name))
    if isinstance(call := message.get("function_call"), Mapping):  # what `tool_calls` were before they had ids
        made["tool_calls"] = [{"id": "call_0", "type": "function", "function": dict(call)}]
    return made


def same(message: Mapping[str, Any]) -> bytes:
    """A digest of what a kept message says: the same for two that differ only in spaces around it, ids and how arguments are spaced.

    Clients send a conversation back in a shape of their own.
    """
    calls = [f"{name} {_canonical(arguments)}" for name, arguments in called(message)]
    said = "\0".join([str(message.get("role")), words(dict(message)).strip(), *calls])
    return blake2b(said.encode(errors="surrogatepass"), digest_size=12).digest()


def called(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The calls in a message: the tool's name, and its arguments as JSON."""
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            arguments = function.get("arguments")
            yield str(function.get("name")), arguments if isinstance(arguments, str) else strict.dumps(arguments or {}).decode()


def plain(message: Message) -> Message:
    """Without its reasoning."""
    return {name: value for name, value in message.items() if name not in REASONING}


def countable(messages: Iterable[Message]) -> str:
    """All that takes tokens in them, but for reasoning, which is mostly not sent again."""
    parts = [part for message in messages for part in (words(message), *(f"{name} {given}" for name, given in called(message))) if part]
    return "\n".join(parts)


def cut(text: str, most: int = MOST_TEXT) -> str:
    """The beginning and the end of a text that is longer."""
    if len(text) <= most:
        return text
    tail = most // 4
    return f"{text[: most - tail]}\n[... {len(text) - most} characters left out ...]\n{text[-tail:]}"


def shares(lengths: Sequence[int], most: int) -> list[int]:
    """How much of each is kept where all together may be `most` long: the shorter ones whole."""
    kept = [0] * len(lengths)
    order = sorted(range(len(lengths)), key=lambda at: lengths[at])
    for done, at in enumerate(order):
        kept[at] = min(lengths[at], most // (len(order) - done))
        most -= kept[at]
    return kept


def _content(message: Mapping[str, Any]) -> str | None:
    content = message.get("content") or message.get("refusal")
    if isinstance(content, list):
        content = "\n".join(filter(None, map(_part, content)))
    return cut(content) if isinstance(content, str) and content else None


def _part(part: Any) -> str:
    if not isinstance(part, Mapping):
        return ""
    if isinstance(part.get("text"), str):
        return str(part["text"])
    kind = str(part.get("type", "part"))[:40]
    inner = part.get(kind)
    source = inner if isinstance(inner, Mapping) else part
    found = next((source[name] for name in ("url", "file_data", "data", "filename", "file_id") if isinstance(source.get(name), str)), "")
    return f"[{kind.removesuffix('_url')}: {_reference(found)}]"


def _reference(given: str) -> str:
    """An address as it is; of what was sent along its type, its length, and what tells it from others."""
    if len(given) <= MOST_ADDRESS and not given.startswith("data:"):
        return given
    media = given[5:].partition(";")[0] if given.startswith("data:") else "data"
    ends = f"{len(given)} {given[:_ENDS]} {given[-_ENDS:]}"
    return f"{media[:80]}, {len(given)} characters, {blake2b(ends.encode(errors='replace'), digest_size=6).hexdigest()}"


def _canonical(arguments: str) -> str:
    found = strict.loosely(arguments.encode(errors="replace"))
    return arguments if found is None else orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()
