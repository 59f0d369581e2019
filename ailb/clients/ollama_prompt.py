"""A request of a client that speaks Ollama's chat, as the layers see it.

Source: https://docs.ollama.com/api/chat
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from ailb.clients.ollama_request import cap, chat_body
from ailb.clients.ollama_turns import native
from ailb.errors import BadRequest
from ailb.prompt import MOST_TOKENS, Prompt, integer, objects


class OllamaPrompt(Prompt):
    """`body` stays Ollama's, so that it goes to Ollama as it came. An answer is streamed unless `stream` is false.

    Without messages Ollama would only load the model, or unload it; that is not for the clients of a gateway, and refused.
    """

    __slots__ = ("_chat",)
    dialect: ClassVar[str] = "ollama"

    def __init__(self, body: dict[str, Any], headers: Mapping[str, str]) -> None:
        self._chat: dict[str, Any] | None = None
        super().__init__(body, headers)

    def check(self) -> None:
        self.stream = self.body.get("stream") is not False
        objects(self.body, "messages")
        options = self.body.get("options")
        if not isinstance(options, dict | None):
            raise BadRequest("options must be an object", param="options")
        field = "options.num_predict"
        integer({field: (options or {}).get("num_predict")}, field, -2, MOST_TOKENS)

    def chat(self) -> dict[str, Any]:
        if self._chat is None:
            self._chat = chat_body(self.body, stream=self.stream)
        return self._chat

    @property
    def wants_usage(self) -> bool:
        """The last line of every answer has the counts."""
        return True

    @property
    def output_cap(self) -> int | None:
        return cap(self.body)

    def cap_output(self, tokens: int) -> None:
        most = min(tokens, cap(self.body) or tokens)
        self.body["options"] = {**(self.body.get("options") or {}), "num_predict": most}
        self._changed()

    def inject(self, messages: list[dict[str, Any]]) -> None:
        super().inject([native(message) for message in messages])

    def _changed(self) -> None:
        self._chat = None
