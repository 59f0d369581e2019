"""Answers of providers with quirks, rebuilt as OpenAI would have given them.

Source of the shape they get: https://platform.openai.com/docs/api-reference/chat
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2s
from typing import Any, Final

from ailb import sse, strict
from ailb.dialect import Event
from ailb.prompt import Prompt
from ailb.usage import Usage
from providers import openai_quirks as quirks
from providers.openai_stream import Decoder, rebuilt, reread

_BASE: Final = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
_LONG_NUMBER: Final = re.compile(rb"[0-9]{19}")


class Repair:
    """Of one answer. Changes the JSON that it is given."""

    def __init__(self, names: frozenset[str], prompt: Prompt) -> None:
        self._names = names
        self._prompt = prompt
        self._usage_fixes = [fix for name, fix in quirks.USAGE_FIXES.items() if name in names]
        self._choice_fixes = [fix for name, fix in quirks.CHOICE_FIXES.items() if name in names]
        self._part_fixes = [fix for name, fix in quirks.PART_FIXES.items() if name in names]
        self._id = ""
        self._finished: set[Any] = set()
        self._calls: dict[str, int] = {}
        self._entries: dict[str, int] = {}

    def whole(self, data: dict[str, Any]) -> Usage | None:
        self._mend_top(data)
        for choice in quirks.dicts(data["choices"]):
            self._mend_choice(choice, part="message", other="delta")
            if isinstance(message := choice.get("message"), dict):
                message.setdefault("content", None)
        return self.usage(data.get("usage"))

    def chunk(self, data: dict[str, Any]) -> bool:
        """Whether anything is left to be told of a chunk that had choices."""
        self._mend_top(data)
        given = data.get("choices") or []
        for choice in given:
            self._mend_choice(choice, part="delta", other="message")
        if quirks.MESSAGE_BESIDE_DELTA in self._names:
            data["object"] = "chat.completion.chunk"
        if quirks.FINISH_TWICE in self._names:
            data["choices"] = [choice for choice in given if self._is_news(choice)]
        return bool(data.get("choices")) or not given

    def usage(self, given: Any) -> Usage | None:
        """Mends it where it stands."""
        if not isinstance(given, dict):
            return None
        for fix in self._usage_fixes:
            fix(given)
        return Usage.of_chat(given)

    def _mend_top(self, data: dict[str, Any]) -> None:
        if quirks.PADDING in self._names:
            data.pop("p", None)
        if quirks.IDS in self._names:
            self._id = self._id or data.get("id") or f"chatcmpl-{self._digest()}"
            data["id"] = self._id

    def _mend_choice(self, choice: dict[str, Any], *, part: str, other: str) -> None:
        if quirks.MESSAGE_BESIDE_DELTA in self._names:
            choice.pop(other, None)
        for fix in self._choice_fixes:
            fix(choice)
        if isinstance(said := choice.get(part), dict):
            for fix in self._part_fixes:
                fix(said)
            for call in quirks.dicts(said.get("tool_calls")):
                self._mend_call(call, str(choice.get("index")), streamed=part == "delta")
            if part == "delta" and quirks.LIST_INDEX in self._names:
                for name in ("annotations", "reasoning_details"):
                    self._number(said.get(name), f"{choice.get('index')}.{name}")

    def _mend_call(self, call: dict[str, Any], choice: str, *, streamed: bool) -> None:
        function = call.get("function")
        begins = bool(call.get("id")) or (isinstance(function, Mapping) and bool(function.get("name")))
        number = self._calls[choice] = self._calls.get(choice, -1) + begins
        if streamed and quirks.LIST_INDEX in self._names and call.get("index") is None:
            call["index"] = max(0, number)
        if begins and quirks.TOOL_IDS in self._names and not call.get("id"):
            call["id"] = f"call_{self._digest(choice, number, function)}"

    def _number(self, entries: Any, name: str) -> None:
        for entry in quirks.dicts(entries):
            entry.setdefault("index", self._entries.get(name, 0))
            self._entries[name] = self._entries.get(name, 0) + 1

    def _is_news(self, choice: dict[str, Any]) -> bool:
        """Whether a choice that may have finished before still has something to say."""
        index = choice.get("index")
        if index not in self._finished:
            if choice.get("finish_reason"):
                self._finished.add(index)
            return True
        choice["finish_reason"] = None
        return any(value for name, value in (choice.get("delta") or {}).items() if name != "role")

    def _digest(self, *what: Any) -> str:
        """The same for the same request and place in the answer, as there is nothing else to make an id from."""
        asked = strict.dumps([self._prompt.received, self._prompt.chat(), self._id, *what])
        return blake2s(asked, digest_size=12).hexdigest()


class RepairingDecoder(Decoder):
    """Rebuilds each chunk; the usage, wherever it was, comes last and alone."""

    def __init__(self, names: frozenset[str], prompt: Prompt) -> None:
        super().__init__(wants_usage=prompt.wants_usage)
        self._repair = Repair(names, prompt)
        self._keeps_usage = quirks.USAGE_ANYWHERE in names
        self._last: dict[str, Any] | None = None

    def tell(self, raw: bytes, data: dict[str, Any]) -> Event | None:
        data = exact(raw, data)
        data.pop("obfuscation", None)
        finishes = any(choice.get("finish_reason") for choice in data.get("choices") or ())
        left = self._repair.chunk(data)
        usage = self._repair.usage(data.get("usage"))
        if usage is None and not self.wants_usage:
            data.pop("usage", None)
        if usage is None or not self._keeps_usage:
            hidden = usage is not None and not self.wants_usage and not data.get("choices")
            return _event(data, usage, hidden=hidden) if left else None
        self._keep(data)
        return _event(data, usage if finishes else None) if left and data.get("choices") else None

    def last(self) -> list[Event]:
        if self._last is None:
            return []
        data, self._last = self._last, None
        return [_event(data, Usage.of_chat(data["usage"]), hidden=not self.wants_usage)]

    def _keep(self, data: dict[str, Any]) -> None:
        """Takes the usage out of a chunk for the chunk at the end, which has the chunk's other news too where it had no choices."""
        usage = data.pop("usage")
        names: Iterator[str] = (name for name in data if name in _BASE) if data.get("choices") else iter(data)
        self._last = {**{name: data[name] for name in names}, "choices": [], "usage": usage}
        if self.wants_usage:
            data["usage"] = None


def exact(raw: bytes, data: dict[str, Any]) -> dict[str, Any]:
    """`data` as `raw` has it, with the integers that orjson made floats of."""
    return reread(raw) if _LONG_NUMBER.search(raw) else data


def _event(data: dict[str, Any], usage: Usage | None = None, *, hidden: bool = False) -> Event:
    return Event(sse.encode(rebuilt(data)), usage, hidden=hidden, data=data)
