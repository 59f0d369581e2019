"""Clients that speak Ollama's chat, such as its own libraries.

Source: https://docs.ollama.com/api/chat
"""

from collections.abc import Mapping
from typing import Any

from ailb.clients import ollama_reply
from ailb.clients.ollama_prompt import OllamaPrompt
from ailb.clients.own_headers import decoded
from ailb.dialect import Event
from ailb.errors import Refusal
from ailb.prompt import Prompt


class OllamaChat:
    paths: tuple[str, ...] = ("/api/chat",)
    stream_type = "application/x-ndjson"
    heartbeat = b""
    """NDJSON has no comments."""

    def prompt(self, body: dict[str, Any], headers: Mapping[str, str]) -> OllamaPrompt:
        """Raises BadRequest, naming the field."""
        return OllamaPrompt(body, decoded(headers))

    def whole(self, prompt: Prompt, event: Event) -> bytes:
        return ollama_reply.whole(prompt, event)

    def encoder(self, prompt: Prompt) -> ollama_reply.OllamaEncoder:
        return ollama_reply.OllamaEncoder(prompt)

    def error(self, refusal: Refusal) -> bytes:
        return ollama_reply.error(refusal)
