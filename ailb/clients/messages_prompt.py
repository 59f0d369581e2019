"""A request of a client that speaks Anthropic's Messages, as the layers see it.

Source: https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from ailb.clients.messages_inject import injected, listed, said_last
from ailb.clients.messages_request import chat_body
from ailb.errors import BadRequest
from ailb.prompt import MOST_TOKENS, Prompt, integer, objects

LEAST_THINKING: Final = 1024
"""Tokens; Anthropic takes no smaller budget."""


class MessagesPrompt(Prompt):
    """`body` stays Anthropic's, so that it goes to Anthropic as it came; nothing but `chat()` asks whether it can be translated."""

    __slots__ = ("_chat",)
    dialect: ClassVar[str] = "messages"

    def __init__(self, body: dict[str, Any], headers: Mapping[str, str]) -> None:
        self._chat: dict[str, Any] | None = None
        super().__init__(body, headers)

    def check(self) -> None:
        body = self.body
        objects(body, "messages")
        if integer(body, "max_tokens", 0, MOST_TOKENS) is None:
            raise BadRequest("max_tokens is required", param="max_tokens")
        if not isinstance(body.get("system"), str | None):
            _list(body, "system")
        _list(body, "tools")

    def chat(self) -> dict[str, Any]:
        """Raises BadRequest for what only Anthropic has, naming it."""
        if self._chat is None:
            self._chat = chat_body(self.body, stream=self.stream)
        return self._chat

    @property
    def wants_usage(self) -> bool:
        """Every Message ends with its usage."""
        return True

    @property
    def has_tools(self) -> bool:
        return bool(self.body.get("tools"))

    @property
    def output_cap(self) -> int | None:
        return int(self.body["max_tokens"])

    def cap_output(self, tokens: int) -> None:
        """A thinking budget has to stay below the cap; one that would be too small to be taken is given up."""
        body = self.body
        body["max_tokens"] = cap = min(tokens, body["max_tokens"])
        thinking = body["thinking"] if isinstance(body.get("thinking"), dict) else {}
        budget = thinking.get("budget_tokens")
        if isinstance(budget, int) and budget >= cap:
            body["thinking"] = {**thinking, "budget_tokens": cap - 1} if cap > LEAST_THINKING else {"type": "disabled"}
        self._changed()

    def texts(self) -> Iterator[str]:
        yield from _texts(self.body.get("system"))
        for message in self.body["messages"]:
            yield from _texts(message.get("content"))

    def questions(self) -> Iterator[str]:
        """Of the turns in which the user said something, and did not only hand in the results of tools."""
        for message in reversed(self.bare().body["messages"]):
            if message.get("role") == "user":
                content = message.get("content")
                said = [block for block in _blocks(content) if block.get("type") != "tool_result"]
                if isinstance(content, str):
                    yield content
                elif said:
                    yield "\n".join(block["text"] for block in said if isinstance(block.get("text"), str))

    def inject(self, messages: list[dict[str, Any]]) -> None:
        """System messages go behind `system`; the others become turns, or parts of them, so that turns still alternate."""
        self.body |= injected(self.body, messages)
        self._changed()

    def _last_said(self, messages: Sequence[Mapping[str, Any]]) -> int | None:
        """The last turn that does not only answer calls, if there is one."""
        users = [at for at, message in enumerate(messages) if message.get("role") == "user"]
        return next((at for at in reversed(users) if said_last(messages[at])), users[-1] if users else None)

    def _content(self, message: Mapping[str, Any]) -> list[Any]:
        """As blocks: the client's own may be marked for the cache."""
        return listed(message.get("content"))

    def _own(self, message: Mapping[str, Any]) -> list[Any]:
        return said_last(message)

    def _changed(self) -> None:
        self._chat = None


def _list(body: Mapping[str, Any], field: str) -> None:
    """Raises BadRequest unless it is missing or a list of objects."""
    value = body.get(field)
    if value is None:
        return
    if not isinstance(value, list):
        kinds = "a text or a list" if field == "system" else "a list"
        raise BadRequest(f"{field} must be {kinds}", param=field)
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise BadRequest(f"{field}[{index}] must be an object", param=f"{field}[{index}]")


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _texts(content: Any) -> Iterator[str]:
    """The text of content blocks, and of the results and documents in them."""
    if isinstance(content, str):
        yield content
    for block in _blocks(content):
        source = block.get("source")
        inner = source if isinstance(source, dict) else {}
        if isinstance(block.get("text"), str):
            yield block["text"]
        if inner.get("type") == "text" and isinstance(inner.get("data"), str):
            yield inner["data"]
        yield from _texts(block.get("content"))
        yield from _texts(inner.get("content"))
