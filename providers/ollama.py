"""Ollama's own chat endpoint.

Source: https://docs.ollama.com/api/chat
"""

from collections.abc import Mapping
from typing import Any

import orjson

from ailb import strict
from ailb.dialect import Decoder, Event, Outgoing, Target
from ailb.errors import UpstreamBroken, UpstreamRefusal
from ailb.prompt import Prompt
from providers import ollama_errors
from providers.ollama_native import NativeDecoder, OllamaEvent
from providers.ollama_reply import answer, chat, usage
from providers.ollama_request import chat_body
from providers.ollama_stream import ChatDecoder

_LATEST = ":latest"


class Ollama:
    """Translates chat completions; hands a native request on with only its model changed and its `stream` said aloud."""

    serves = frozenset({"chat", "ollama"})

    def request(self, prompt: Prompt, target: Target) -> Outgoing:
        """Raises BadRequest."""
        if prompt.dialect == "ollama":
            body: dict[str, Any] = {**prompt.body, "model": target.model, "stream": prompt.stream}
        else:
            body = chat_body(prompt.chat(), target.model, stream=prompt.stream)
        return Outgoing("/api/chat", strict.dumps(body))

    def whole(self, prompt: Prompt, body: bytes) -> Event:
        """Raises UpstreamBroken, or UpstreamRefusal for an error that came with status 200."""
        data = answer(body)
        if prompt.dialect == "ollama":
            return OllamaEvent(body.strip(), usage(data))
        return chat(data, prompt.received)

    def decoder(self, prompt: Prompt) -> Decoder:
        if prompt.dialect == "ollama":
            return NativeDecoder()
        return ChatDecoder(prompt.received, wants_usage=prompt.wants_usage)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefusal:
        return ollama_errors.refusal(status, headers, body)

    def listing(self) -> str | None:
        return "/api/tags"

    def models(self, body: bytes) -> list[str]:
        """A model whose tag is `latest` is also offered without it, as Ollama itself does."""
        try:
            names = [str(model["name"]) for model in orjson.loads(body)["models"]]
        except (orjson.JSONDecodeError, KeyError, TypeError) as bad:
            raise UpstreamBroken("the provider's model list cannot be read") from bad
        return list(dict.fromkeys(known for name in names for known in (name, name.removesuffix(_LATEST))))

    def embeddings(self, model: str) -> str | None:
        """Source: https://docs.ollama.com/api/openai-compatibility"""
        return "/v1/embeddings"
