"""OpenAI's chat completions, passed on as they are."""

from collections.abc import Mapping
from typing import Any

import orjson

from ailb.dialect import Event, Outgoing, Target
from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal
from ailb.headers import passed_on
from ailb.prompt import Prompt
from ailb.secret import scrub
from ailb.sse import Parser, encode
from ailb.strict import dumps
from ailb.usage import Usage


class OpenAI:
    serves = frozenset({"chat"})

    def __init__(self, *, chat_path: str = "/chat/completions") -> None:
        self._path = chat_path

    def request(self, prompt: Prompt, target: Target) -> Outgoing:
        body = {**prompt.chat(), "model": target.model}
        if prompt.stream:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        return Outgoing(self._path, dumps(body), prompt.forward)

    def whole(self, prompt: Prompt, body: bytes) -> Event:
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise UpstreamBroken("the upstream's answer is not JSON") from None
        if not isinstance(data, dict) or not isinstance(data.get("choices"), list):
            raise UpstreamBroken("the upstream's answer is not a chat completion")
        usage = data.get("usage")
        return Event(body, Usage.of_chat(usage) if isinstance(usage, dict) else None)

    def decoder(self, prompt: Prompt) -> "Decoder":
        return Decoder(prompt.wants_usage)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefusal:
        try:
            error = orjson.loads(body)["error"]
            message = error["message"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            error, message = {}, f"the upstream answered with status {status}"
        return UpstreamRefusal(
            status,
            scrub(str(message)),
            type=error.get("type"),
            param=error.get("param"),
            code=error.get("code"),
            headers=passed_on(headers, error=True),
        )

    def listing(self) -> str | None:
        return "/models"

    def models(self, body: bytes) -> list[str]:
        return [model["id"] for model in orjson.loads(body)["data"]]


class Decoder:
    def __init__(self, wants_usage: bool) -> None:
        self._parser = Parser()
        self._wants_usage = wants_usage
        self.error: UpstreamFailure | None = None
        self.done = False

    def feed(self, chunk: bytes) -> list[Event]:
        events = []
        for data, _name in self._parser.feed(chunk):
            if data == b"[DONE]":
                self.done = True
            elif b'"usage"' in data and b'"usage":null' not in data:
                events.append(self._usage(data))
            else:
                events.append(Event(encode(data if self._wants_usage else data.replace(b',"usage":null', b""))))
        return events

    def _usage(self, data: bytes) -> Event:
        parsed: dict[str, Any] = orjson.loads(data)
        return Event(encode(data), Usage.of_chat(parsed["usage"]), hidden=not self._wants_usage and not parsed.get("choices"))

    def end(self) -> list[Event]:
        if not self.done:
            raise UpstreamBroken("the upstream's stream was cut")
        return []
