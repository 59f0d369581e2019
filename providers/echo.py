"""A provider that needs no network: it repeats what it was given, word by word, and counts words as tokens.

The model name may tell it to misbehave: a name that contains `echo-fail-503` answers with that status, `echo-stall` never answers,
`echo-break` breaks off in the middle, `echo-slow` takes a tenth of a second a word, `echo-tool` calls the first tool it is offered.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ailb.chat import Chunks, completion
from ailb.dialect import Event
from ailb.errors import BadRequest, UpstreamBroken, UpstreamRefusal
from ailb.exchange import Attempt, Exchange, Reply, batches_of
from ailb.prompt import Prompt
from ailb.usage import Usage

_ORDER = re.compile(r"echo-(?:fail-(?P<status>[45]\d\d)|(?P<what>stall|break|slow|tool))\b")
_WORD = re.compile(r"\s*\S+")
WORD_SECONDS = 0.1


class Echo:
    """Deterministic: the same prompt gets the same answer. `note` stands in front of every answer."""

    def __init__(self, *, note: str = "") -> None:
        self._note = note

    async def __call__(self, exchange: Exchange, attempt: Attempt) -> Reply:
        prompt, target = attempt.prompt, attempt.target
        if (prompt.chat().get("n") or 1) > 1:
            raise BadRequest("n must be 1: echo gives one answer", param="n")
        order = _ORDER.search(target.model)
        what = order["what"] if order else None
        if order and order["status"]:
            raise UpstreamRefusal(int(order["status"]), f"echo was told to fail with {order['status']}")
        if what == "stall":
            await asyncio.Event().wait()
        script = _Script(prompt, target.model, self._answer(prompt), calls=what == "tool")
        if not prompt.stream:
            if what == "break":
                raise UpstreamBroken("echo was told to break")
            return Reply(batches_of([script.whole()]))
        return Reply(_paced(script.chunks(), what))

    def _answer(self, prompt: Prompt) -> str:
        """The last message of the user, and what stood before it, so that one can see what the layers put in."""
        messages = prompt.chat()["messages"]
        lines = [self._note] if self._note else []
        lines.append(f"You said: {prompt.question}")
        before = [f"{m.get('role')}: {_text(m)}" for m in messages if _text(m) and _text(m) != prompt.question]
        if before:
            lines.append("I was also given:")
            lines.extend(before)
        return "\n".join(lines)


class _Script:
    """One answer, whole or in pieces."""

    def __init__(self, prompt: Prompt, model: str, text: str, *, calls: bool) -> None:
        self._prompt = prompt
        self._model = model
        self._id = "chatcmpl-" + hashlib.blake2s(json.dumps(prompt.body, sort_keys=True).encode(), digest_size=12).hexdigest()
        words = _WORD.findall(text)
        cap = prompt.output_cap or len(words)
        self._cut = cap < len(words)
        self._words = words[:cap]
        self._tool = _first_tool(prompt.chat().get("tools")) if calls else None

    @property
    def _usage(self) -> Usage:
        given = sum(len(_WORD.findall(text)) for text in self._prompt.texts())
        return Usage(input=given, output=1 if self._tool else len(self._words))

    @property
    def _finish(self) -> str:
        return "tool_calls" if self._tool else "length" if self._cut else "stop"

    def whole(self) -> Event:
        message: dict[str, Any] = {"content": "".join(self._words)}
        if self._tool:
            function = {"name": self._tool, "arguments": "{}"}
            message = {"tool_calls": [{"id": "call_echo", "type": "function", "function": function}]}
        received = self._prompt.received
        return completion(self._id, self._model, received, message, finish=self._finish, usage=self._usage)

    def chunks(self) -> Iterator[Event]:
        chunks = Chunks(self._id, self._model, self._prompt.received, wants_usage=self._prompt.wants_usage)
        yield chunks.delta({"role": "assistant", "content": None if self._tool else "", "refusal": None})
        if self._tool:
            yield chunks.tool(0, "call_echo", self._tool, "{}")
        else:
            yield from (chunks.delta({"content": word}) for word in self._words)
        yield chunks.delta({}, self._finish)
        yield chunks.usage(self._usage)


async def _paced(events: Iterator[Event], what: str | None) -> AsyncIterator[list[Event]]:
    for number, event in enumerate(events):
        if what == "slow":
            await asyncio.sleep(WORD_SECONDS)
        if what == "break" and number == 3:
            raise UpstreamBroken("echo was told to break")
        yield [event]


def _first_tool(tools: Any) -> str | None:
    match tools:
        case [{"function": {"name": str(name)}}, *_]:
            return name
    return None


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(p["text"] for p in content if isinstance(p, dict) and isinstance(p.get("text"), str))
    return content if isinstance(content, str) else ""
