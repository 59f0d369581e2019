"""Anthropic's Messages API.

Source: https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from ailb import strict
from ailb.dialect import Decoder, Event, Outgoing, Target
from ailb.errors import UpstreamBroken, UpstreamRefusal
from ailb.prompt import Prompt
from providers import anthropic_errors, anthropic_native, anthropic_reply
from providers.anthropic_request import betas, messages_body
from providers.anthropic_stream import ChatDecoder
from providers.anthropic_tools import legacy

VERSION: Final = "2023-06-01"
"""The version that translated requests are written in. Clients of Anthropic's own dialect bring theirs."""


class Anthropic:
    """`default_max_tokens`: the limit of an answer where the client sets none; Anthropic wants one. Unset, it goes by the model."""

    serves = frozenset({"chat", "messages"})

    def __init__(self, *, default_max_tokens: int | None = None) -> None:
        self._default_max_tokens = default_max_tokens

    def request(self, prompt: Prompt, target: Target) -> Outgoing:
        """Raises BadRequest."""
        if prompt.dialect == "messages":
            body: dict[str, Any] = {**prompt.body, "model": target.model}
            return Outgoing("/v1/messages", strict.dumps(body), {"anthropic-version": VERSION, **prompt.forward})
        body = messages_body(prompt.chat(), target.model, stream=prompt.stream, default_max_tokens=self._default_max_tokens)
        return Outgoing("/v1/messages", strict.dumps(body), _headers(body, prompt))

    def whole(self, prompt: Prompt, body: bytes) -> Event:
        """Raises UpstreamBroken, or UpstreamRefusal for an error that came with status 200."""
        if prompt.dialect == "messages":
            return anthropic_native.whole(body)
        return anthropic_reply.chat(anthropic_reply.message(body), prompt.received, legacy=legacy(prompt.chat()))

    def decoder(self, prompt: Prompt) -> Decoder:
        if prompt.dialect == "messages":
            return anthropic_native.NativeDecoder()
        return ChatDecoder(prompt.received, wants_usage=prompt.wants_usage, legacy=legacy(prompt.chat()))

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefusal:
        return anthropic_errors.refusal(status, headers, body)

    def listing(self) -> str | None:
        return "/v1/models?limit=1000"

    def models(self, body: bytes) -> list[str]:
        try:
            listed = orjson.loads(body)["data"]
            return [str(model["id"]) for model in listed]
        except (orjson.JSONDecodeError, KeyError, TypeError) as bad:
            raise UpstreamBroken("the provider's model list cannot be read") from bad

    def embeddings(self, model: str) -> str | None:
        return None


def _headers(body: Mapping[str, Any], prompt: Prompt) -> dict[str, str]:
    asked = [beta.strip() for beta in prompt.forward.get("anthropic-beta", "").split(",")]
    wanted = dict.fromkeys(beta for beta in (*asked, *betas(body)) if beta)
    return {"anthropic-version": VERSION, **({"anthropic-beta": ",".join(wanted)} if wanted else {})}
