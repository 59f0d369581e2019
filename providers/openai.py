"""OpenAI's chat completions, and those who speak them too.

The client's JSON goes out with `model` set and the usage of a stream asked for; nothing else is touched. Answers keep their bytes,
unless the provider has quirks: then they are rebuilt as OpenAI would have given them.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from ailb import strict
from ailb.dialect import Event, Outgoing, Target
from ailb.errors import ConfigError, UpstreamBroken, UpstreamRefusal
from ailb.prompt import MOST_NAME, Prompt
from ailb.usage import Usage
from providers import openai_errors
from providers.openai_quirks import ASKING, NO_STREAM_OPTIONS, ONLY_MAX_TOKENS, QUIRKS
from providers.openai_repair import Repair, RepairingDecoder, exact
from providers.openai_stream import Decoder, rebuilt


class OpenAI:
    """`chat_path` may have `{model}` in it, as Azure's has. `models_path` is None where the provider has no list. `quirks` are names
    out of `providers.openai_quirks`. `cap_name` is what the provider calls the output cap of a client that speaks another dialect."""

    serves = frozenset({"chat"})

    def __init__(
        self,
        *,
        quirks: frozenset[str] | list[str] = frozenset(),
        chat_path: str = "/chat/completions",
        models_path: str | None = "/models",
        cap_name: str = "max_tokens",
    ) -> None:
        """Raises ConfigError for a quirk that there is not."""
        self._quirks = frozenset(quirks)
        self._chat_path = chat_path
        self._models_path = models_path
        self._cap_name = cap_name
        self._per_model = "{model}" in chat_path
        self._asks = NO_STREAM_OPTIONS not in self._quirks
        self._renames = ONLY_MAX_TOKENS in self._quirks
        self._repairs = bool(self._quirks - ASKING)
        if odd := sorted(self._quirks - QUIRKS):
            raise ConfigError("quirks", f"no such quirk: {odd[0]}; there are {', '.join(sorted(QUIRKS))}")

    def request(self, prompt: Prompt, target: Target) -> Outgoing:
        body = {**prompt.chat(), "model": target.model}
        if prompt.stream:
            self._ask_for_usage(body)
        if prompt.dialect != "chat" and "max_tokens" in body:
            body[self._cap_name] = body.pop("max_tokens")
        elif self._renames and (cap := body.pop("max_completion_tokens", None)) is not None:
            body["max_tokens"] = min(cap, body.get("max_tokens") or cap)
        path = self._chat_path
        if self._per_model:
            path = path.replace("{model}", quote(target.model, safe=""))
        return Outgoing(path, strict.dumps(body), _forwarded(prompt.forward) if prompt.forward else {})

    def whole(self, prompt: Prompt, body: bytes) -> Event:
        """Raises UpstreamBroken, or UpstreamRefusal for an error that came with status 200."""
        body = body.strip()
        data = _answer(body)
        if not self._repairs:
            usage = data.get("usage")
            return Event(body, Usage.of_chat(usage) if isinstance(usage, dict) else None, data=data)
        data = exact(body, data)
        used = Repair(self._quirks, prompt).whole(data)
        return Event(rebuilt(data), used, data=data)

    def decoder(self, prompt: Prompt) -> Decoder:
        return RepairingDecoder(self._quirks, prompt) if self._repairs else Decoder(wants_usage=prompt.wants_usage)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefusal:
        return openai_errors.refusal(status, headers, body)

    def listing(self) -> str | None:
        return self._models_path

    def models(self, body: bytes) -> list[str]:
        """From `{"data": [{"id"}]}`, as of OpenAI, `{"models": [{"name"}]}`, as of Gemini and Ollama, or a bare list, as of Together."""
        try:
            listed = orjson.loads(body)
            if isinstance(listed, dict):
                listed = listed["data"] if "data" in listed else listed["models"]
            names = [_name(model) for model in listed]
        except (orjson.JSONDecodeError, KeyError, TypeError) as bad:
            raise UpstreamBroken("the provider's model list cannot be read") from bad
        return list(dict.fromkeys(name for name in names if 0 < len(name) <= MOST_NAME and name.isprintable()))

    def embeddings(self, model: str) -> str | None:
        """Beside the chat's, which ends in `chat/completions` everywhere."""
        path = self._chat_path.removesuffix("chat/completions")
        return None if path == self._chat_path else f"{path}embeddings".replace("{model}", quote(model, safe=""))

    def _ask_for_usage(self, body: dict[str, Any]) -> None:
        body["stream"] = True
        if self._asks:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        else:
            body.pop("stream_options", None)


def _answer(body: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UpstreamBroken("the provider's answer is not JSON") from None
    if (failed := openai_errors.failure(data)) is not None:
        raise failed
    choices = data.get("choices")
    if not isinstance(choices, list) or not all(map(_is_choice, choices)):
        raise UpstreamBroken("the provider's answer is not a chat completion")
    answer: dict[str, Any] = data
    return answer


def _is_choice(choice: Any) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("message") or {}, dict)


def _name(model: Any) -> str:
    """A model's name in a list; Gemini's stand below `models/`."""
    if isinstance(model, dict):
        model = model.get("id") or model.get("name") or model.get("model")
    return model.removeprefix("models/") if isinstance(model, str) else ""


def _forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """The client's headers that mean something here: not those of another dialect."""
    return {name: value for name, value in headers.items() if not name.startswith("anthropic-")}
