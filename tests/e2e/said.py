"""What answers and requests say, read from their JSON in each dialect without the code under test."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.providers.anthropic_wire import said_stream, said_whole
from tests.providers.ollama_wire import said_native

Json = Mapping[str, Any]

FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls", "refusal": "content_filter"}
"""Anthropic's words in OpenAI's."""


@dataclass
class Tokens:
    """As OpenAI counts: `prompt` includes `cached`, `completion` includes `reasoning`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0


@dataclass
class Call:
    """`arguments` as JSON; the text itself where a token limit cut it."""

    id: str = ""
    name: str = ""
    arguments: Any = ""

    def parse(self) -> None:
        with suppress(ValueError):
            self.arguments = json.loads(self.arguments or "{}")


@dataclass
class Said:
    """One choice. `finish` in OpenAI's words."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[Call] = field(default_factory=list)
    finish: str | None = None


Answer = tuple[dict[int, Said], Tokens | None]
"""The choices, and what they took."""


def chat(objects: Sequence[Json], *, stream: bool, strict: bool) -> Answer:
    """Chat completion chunks, or one chat completion. `strict`: as OpenAI has them; otherwise also as the other providers do."""
    choices: dict[int, _Chat] = {}
    for data in objects:
        for choice in data["choices"] or ():
            chat = choices.setdefault(choice.get("index", 0), _Chat(strict))
            chat.add((choice.get("delta") if stream else choice["message"]) or {}, choice.get("finish_reason"), stream)
    return {index: choice.done() for index, choice in choices.items()}, _tokens(objects)


def anthropic(objects: Sequence[Json]) -> Answer:
    """Anthropic's events, or its one message."""
    stream = objects[0]["type"] == "message_start"
    said = said_stream("\n".join(f"data: {json.dumps(event)}" for event in objects)) if stream else said_whole(dict(objects[0]))
    calls = [Call(id, name, input) for id, name, input in said.calls]
    if stream:
        for call in calls:
            call.parse()
    prompt, completion, cached = said.tokens
    thought = (said.usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    answer = Said(said.text, said.reasoning, "", calls, FINISH[str(said.reason)])
    return {0: answer}, Tokens(prompt, completion, cached, thought)


def ollama(objects: Sequence[Json]) -> Answer:
    """Ollama's lines, or its one answer. The ids of its calls are not always there, so they are left out."""
    said = said_native([dict(line) for line in objects])
    calls = [Call("", name, arguments) for name, arguments in said.calls]
    return {0: Said(said.text, said.reasoning, "", calls, said.finish)}, Tokens(*said.tokens)


@dataclass
class Gist:
    """What a request of any dialect asks: the text of its turns without white space, the calls in it, and the tools."""

    model: str
    words: str
    calls: list[tuple[str, Any]]
    tools: list[str]


def gist(body: Json) -> Gist:
    turns = [{"content": body.get("system")}, *body["messages"]]
    calls = [call for turn in turns for call in _calls(turn)]
    tools = [tool.get("function", tool)["name"] for tool in body.get("tools") or ()]
    tools = [name for name in tools if name != "ailb_json_answer"]  # how an older Claude is asked for JSON
    return Gist(body["model"], "".join("".join(_words(turns)).split()), calls, tools)


class _Chat:
    def __init__(self, strict: bool) -> None:
        self._said = Said()
        self._strict = strict
        self._calls: dict[Any, Call] = {}

    def add(self, part: Json, finish: str | None, stream: bool) -> None:
        said = self._said
        said.text += (part.get("content") or "") if self._strict else "".join(_texts(part.get("content"), "text"))
        said.reasoning += (part.get("reasoning_content") or "") if self._strict else _thought(part)
        said.refusal += part.get("refusal") or ""
        said.finish = said.finish or finish
        calls = part.get("tool_calls") or ()
        if legacy := part.get("function_call"):
            calls = [{"index": 0, "function": legacy}]
        for position, call in enumerate(calls):
            self._call(call, call.get("index") if stream else position)

    def done(self) -> Said:
        self._said.calls = list(self._calls.values())
        for call in self._said.calls:
            call.parse()
        return self._said

    def _call(self, call: Json, place: Any) -> None:
        """Old Mistral streams its calls whole and gives them no index."""
        if place is None:
            assert not self._strict
            place = len(self._calls)
        known, function = self._calls.setdefault(place, Call()), call.get("function") or {}
        known.id = known.id or call.get("id") or ""
        known.name = known.name or function.get("name") or ""
        known.arguments += function.get("arguments") or ""


def _tokens(objects: Iterable[Json]) -> Tokens | None:
    """The last usage that is one."""
    last: Json | None = None
    for data in objects:
        last = data.get("usage") or last
    if last is None:
        return None
    given, made = last.get("prompt_tokens_details") or {}, last.get("completion_tokens_details") or {}
    cached = given.get("cached_tokens", last.get("prompt_cache_hit_tokens"))
    return Tokens(last["prompt_tokens"], last["completion_tokens"], cached or 0, made.get("reasoning_tokens") or 0)


def _texts(content: Any, kind: str) -> Iterator[str]:
    """The text, or the thinking, of a content that is a text, an object or a list of parts."""
    if isinstance(content, str) and kind == "text":
        yield content
    if isinstance(content, dict) and kind == "text":
        yield json.dumps(content, separators=(",", ":"))
    for part in content if isinstance(content, list) else ():
        if part.get("type") == kind:
            inner = part[kind]
            yield inner if isinstance(inner, str) else "".join(_texts(inner, "text"))


def _thought(part: Json) -> str:
    details = part.get("reasoning_details") or ()
    listed = "".join(detail.get("text") or detail.get("summary") or "" for detail in details)
    return part.get("reasoning_content") or part.get("reasoning") or listed or "".join(_texts(part.get("content"), "thinking"))


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _words(item)
    elif isinstance(value, dict) and _is_text(value):
        for name in ("tool_name",) if value.get("type") == "tool_reference" else ("title", "source", "content", "text", "data"):
            yield from _words(value.get(name))


def _is_text(block: Json) -> bool:
    """And not a picture, a PDF or a thought."""
    kind = block.get("type")
    return kind not in ("thinking", "image", "image_url", "input_audio") and (kind != "document" or block["source"]["type"] == "text")


def _calls(turn: Json) -> Iterator[tuple[str, Any]]:
    for call in turn.get("tool_calls") or ():
        arguments = call["function"]["arguments"]
        yield call["function"]["name"], json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
    for block in turn["content"] if isinstance(turn.get("content"), list) else ():
        if block.get("type") == "tool_use":
            yield block["name"], block["input"]
