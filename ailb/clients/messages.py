"""Clients that speak Anthropic's Messages, whichever provider answers.

An answer of an Anthropic provider goes out byte for byte; any other is a chat completion and is told as a Message.
Source: https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Mapping
from typing import Any, Final

from ailb import strict
from ailb.clients.messages_error import envelope
from ailb.clients.messages_prompt import MessagesPrompt
from ailb.clients.messages_reply import message
from ailb.clients.messages_stream import MessagesEncoder
from ailb.clients.own_headers import decoded
from ailb.dialect import Event
from ailb.errors import Refusal
from ailb.prompt import Prompt

FORWARDED: Final = ("anthropic-version", "anthropic-beta")


class Messages:
    paths: tuple[str, ...] = ("/v1/messages",)
    stream_type = "text/event-stream; charset=utf-8"
    heartbeat = b": keep-alive\n\n"

    def prompt(self, body: dict[str, Any], headers: Mapping[str, str]) -> MessagesPrompt:
        """Raises BadRequest, naming the field."""
        prompt = MessagesPrompt(body, decoded(headers))
        prompt.forward = {name: headers[name] for name in FORWARDED if name in headers}
        return prompt

    def whole(self, prompt: Prompt, event: Event) -> bytes:
        if event.dialect == "messages":
            return event.raw
        return strict.dumps(message(event, prompt.body.get("stop_sequences")))

    def encoder(self, prompt: Prompt) -> MessagesEncoder:
        return MessagesEncoder(prompt.body.get("stop_sequences"))

    def error(self, refusal: Refusal) -> bytes:
        return strict.dumps(envelope(refusal))
