"""What an answer says, read from its JSON without the code under test: in each dialect, and strictly or as the providers have it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass
class Tokens:
    """As OpenAI counts: `prompt` includes `cached`, `completion` includes `reasoning`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0


@dataclass
class Call:
    id: str = ""
    name: str = ""
    arguments: str = ""

    @property
    def meant(self) -> Any:
        """The arguments as JSON; the text itself where a token limit cut it."""
        try:
            return json.loads(self.arguments or "{}")
        except ValueError:
            return self.arguments


@dataclass
class Said:
    """One choice."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[Call] = field(default_factory=list)
    finish: str | None = None

    @property
    def told(self) -> tuple[Any, ...]:
        """To compare by: the calls with their arguments' meaning."""
        return self.text, self.reasoning, self.refusal, self.finish, [(call.id, call.name, call.meant) for call in self.calls]


def chat(objects: Iterable[Json], *, strict: bool) -> dict[int, Said]:
    """The choices of chat completion chunks, or of one chat completion. `strict`: as OpenAI has them and nothing else counts."""
    choices: dict[int, _Chat] = {}
    for data in objects:
        for choice in data["choices"] or ():
            choices.setdefault(choice.get("index", 0), _Chat(strict)).add(choice)
    return {index: choice.said for index, choice in choices.items()}


def tokens(objects: Iterable[Json]) -> Tokens | None:
    """The last usage of chat completions that is one."""
    last: Json | None = None
    for data in objects:
        last = data.get("usage") or last
    if last is None:
        return None
    given, made = last.get("prompt_tokens_details") or {}, last.get("completion_tokens_details") or {}
    cached = given.get("cached_tokens", last.get("prompt_cache_hit_tokens"))
    return Tokens(last["prompt_tokens"], last["completion_tokens"], cached or 0, made.get("reasoning_tokens") or 0)


class _Chat:
    def __init__(self, strict: bool) -> None:
        self.said = Said()
        self._strict = strict
        self._calls: dict[Any, Call] = {}

    def add(self, choice: Json) -> None:
        part = choice.get("delta") or choice.get("message") or {}
        said = self.said
        said.text += part.get("content") or "" if self._strict else "".join(_texts(part.get("content"), "text"))
        said.reasoning += part.get("reasoning_content") or "" if self._strict else _thought(part)
        said.refusal += part.get("refusal") or ""
        said.finish = said.finish or choice.get("finish_reason")
        calls = part.get("tool_calls") or ()
        if legacy := part.get("function_call"):
            calls = [{"index": "legacy", "function": legacy}]
        for position, call in enumerate(calls):
            self._call(call, position if "message" in choice and not choice.get("delta") else call.get("index"))

    def _call(self, call: Json, place: Any) -> None:
        if place is None:
            assert not self._strict
            place = len(self._calls)
        if place not in self._calls:
            self._calls[place] = Call()
            self.said.calls.append(self._calls[place])
        known, function = self._calls[place], call.get("function") or {}
        known.id = known.id or call.get("id") or ""
        known.name = known.name or function.get("name") or ""
        known.arguments += function.get("arguments") or ""


def _texts(content: Any, kind: str) -> Iterator[str]:
    """The text, or the thinking, of a content that is a text or a list of parts."""
    if isinstance(content, str):
        yield content if kind == "text" else ""
    for part in content if isinstance(content, list) else ():
        if part.get("type") == kind:
            inner = part[kind]
            yield inner if isinstance(inner, str) else "".join(_texts(inner, "text"))


def _thought(part: Json) -> str:
    details = part.get("reasoning_details") or ()
    listed = "".join(detail.get("text") or detail.get("summary") or "" for detail in details)
    return part.get("reasoning_content") or part.get("reasoning") or listed or "".join(_texts(part.get("content"), "thinking"))
