"""Clients that speak OpenAI's chat completions: what a provider of that dialect said goes to them byte for byte.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Mapping
from typing import Any, Final

from ailb import sse, strict
from ailb.clients.own_headers import decoded
from ailb.dialect import Event
from ailb.errors import Refusal
from ailb.prompt import Prompt

FORWARDED: Final = ("openai-beta", "anthropic-beta", "x-grok-conv-id")
"""The headers that change an answer or where its cache is. Credentials, cookies and account ids are the gateway's own business."""


class Chat:
    paths: tuple[str, ...] = ("/v1/chat/completions",)
    stream_type = "text/event-stream; charset=utf-8"
    heartbeat = b": keep-alive\n\n"

    def prompt(self, body: dict[str, Any], headers: Mapping[str, str]) -> Prompt:
        """Raises BadRequest, naming the field."""
        prompt = Prompt(body, decoded(headers))
        prompt.forward = {name: headers[name] for name in FORWARDED if name in headers}
        return prompt

    def whole(self, prompt: Prompt, event: Event) -> bytes:
        return event.raw

    def encoder(self, prompt: Prompt) -> "ChatEncoder":
        return ChatEncoder()

    def error(self, refusal: Refusal) -> bytes:
        return strict.dumps(refusal.body())


class ChatEncoder:
    """Every event as it came; `[DONE]` after a whole stream only."""

    def feed(self, event: Event) -> bytes:
        return b"" if event.hidden else event.raw

    def end(self) -> bytes:
        return sse.DONE

    def error(self, refusal: Refusal) -> bytes:
        return sse.encode(strict.dumps({"error": refusal.error()}))
