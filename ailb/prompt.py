"""What a client asks for, seen by the layers in one way, whichever dialect the client spoke."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Self

from ailb.errors import BadRequest
from ailb.prompt_messages import alternating, put_before

MOST_TOKENS = 1 << 31
MOST_CHOICES = 128
MOST_NAME = 256

CAPS = ("max_completion_tokens", "max_tokens")


class Prompt:
    """A chat completion request. `body` is its JSON, without AILB's own fields; layers change it through the methods only.

    A subclass is another dialect's view of its own body: it overrides what its shape makes different, and says in `chat()` the
    same thing as a chat completion. `forward` holds the client's headers that mean something upstream; `received` is the Unix time
    of the request, for answers that must carry one.
    """

    __slots__ = ("_told", "body", "forward", "model", "rag_collection", "rag_top_k", "received", "session_id", "stream")
    dialect: ClassVar[str] = "chat"

    def __init__(self, body: dict[str, Any], headers: Mapping[str, str]) -> None:
        self._told: tuple[int, dict[str, Any] | None] | None = None
        """Where something was told: the message's place, counted from the end, and what stood there before, if anything."""

        self.body = body
        self.forward: dict[str, str] = {}
        self.received = 0
        self.session_id = name(body, "session_id", headers.get("x-session-id"))
        self.rag_collection = name(body, "rag_collection", None)
        self.rag_top_k = integer(body, "rag_top_k", 1, 50) or 3
        for own in ("session_id", "rag_collection", "rag_top_k"):
            body.pop(own, None)
        self.model = name(body, "model", headers.get("x-preferred-model")) or ""
        self.stream = flag(body, "stream")
        self.check()

    def check(self) -> None:
        """Raises BadRequest for a field that AILB acts on and that is not what it should be; the rest is the upstream's to judge."""
        body = self.body
        objects(body, "messages")
        for cap in CAPS:
            integer(body, cap, 1, MOST_TOKENS)
        integer(body, "n", 1, MOST_CHOICES)
        options = body.get("stream_options")
        if options is not None and not isinstance(options, dict):
            raise BadRequest("stream_options must be an object", param="stream_options")

    def chat(self) -> dict[str, Any]:
        """The request as a chat completion; not to be changed."""
        return self.body

    def readable(self) -> dict[str, Any]:
        """As `chat`, for those who only look: where no chat completion says the same, the body as it is, its system prompt in front."""
        try:
            return self.chat()
        except BadRequest:
            system = self.body.get("system")
            told = [{"role": "system", "content": system}] if system else []
            return {**self.body, "messages": [*told, *self.body["messages"]]}

    @property
    def wants_usage(self) -> bool:
        """Whether the client of a stream asked to be told the usage."""
        options = self.body.get("stream_options")
        return bool(options and options.get("include_usage"))

    @property
    def has_tools(self) -> bool:
        return bool(self.body.get("tools") or self.body.get("functions"))

    @property
    def output_cap(self) -> int | None:
        """The most tokens that the client lets the answer have; None where it did not say. Of two that differ it is the larger one: not
        every provider knows both.
        """
        caps: list[int] = [cap for name in CAPS if (cap := self.body.get(name)) is not None]
        return max(caps, default=None)

    def cap_output(self, tokens: int) -> None:
        """Lets the answer have no more than `tokens`."""
        given = [cap for cap in CAPS if self.body.get(cap) is not None]
        for cap in given or ["max_tokens"]:
            self.body[cap] = min(tokens, self.body.get(cap) or tokens)

    def texts(self) -> Iterator[str]:
        """All text of the conversation, in order; for counting tokens."""
        for message in self.chat()["messages"]:
            content = message.get("content")
            if isinstance(content, str):
                yield content
            elif isinstance(content, list):
                yield from (part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))

    @property
    def question(self) -> str:
        """The text of the last thing that the user said; empty where there is none."""
        return next(self.questions(), "")

    def questions(self) -> Iterator[str]:
        """The texts of what the user said, the last first; nothing of what was told in front of it."""
        for message in reversed(self.bare().chat()["messages"]):
            if message.get("role") == "user":
                content = message.get("content")
                parts = content if isinstance(content, list) else []
                texts = (p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str))
                yield content if isinstance(content, str) else "\n".join(texts)

    def inject(self, messages: list[dict[str, Any]]) -> None:
        """Puts chat messages in front of the conversation, behind its system and developer messages: what was said before it. Where the
        same speaker would speak twice in a row, two messages become one.
        """
        present: list[dict[str, Any]] = self.body["messages"]
        at = _instructions(present)
        self.body["messages"] = [*present[:at], *alternating([*messages, *present[at : at + 1]]), *present[at + 1 :]]
        self._changed()

    def tell(self, text: str) -> None:
        """Puts a text in front of the last thing that the user said, into the same message, behind what was told before: chat templates
        and some providers refuse two messages of the user's in a row. It is never what the user said: `questions()` does not have it.

        Calls of tools and their results, which may follow, stay as they are; and so does all that stands before.
        """
        messages: list[dict[str, Any]] = list(self.body["messages"])
        if self._told is None:
            at = self._last_said(messages)
            before = None if at is None else messages[at]
            if at is None:
                at = _instructions(messages)
                messages.insert(at, {"role": "user", "content": None})
            self._told = at - len(messages), before
        place, own = self._told
        messages[place] = {**messages[place], "content": put_before(text, self._content(messages[place]), self._own(own or {}))}
        self.body["messages"] = messages
        self._changed()

    def bare(self) -> Self:
        """The same without what was told: not to be changed."""
        if self._told is None:
            return self
        place, own = self._told
        messages = list(self.body["messages"])
        messages[place : place + 1 or None] = [] if own is None else [own]
        made = copy(self)
        made.body, made._told = {**self.body, "messages": messages}, None
        made._changed()
        return made

    def _last_said(self, messages: Sequence[Mapping[str, Any]]) -> int | None:
        """The place of the last thing that the user said."""
        return next((at for at in reversed(range(len(messages))) if messages[at].get("role") == "user"), None)

    def _content(self, message: Mapping[str, Any]) -> Any:
        return message.get("content")

    def _own(self, message: Mapping[str, Any]) -> Any:
        """What of a message's content the user said, at its end."""
        return message.get("content")

    def _changed(self) -> None:
        """For those who keep something that they made of the body."""


def _instructions(messages: Sequence[Mapping[str, Any]]) -> int:
    """How many there are in front."""
    return next((at for at, message in enumerate(messages) if message.get("role") not in ("system", "developer")), len(messages))


def name(body: Mapping[str, Any], field: str, otherwise: str | None) -> str | None:
    """A short text field, or `otherwise` where it is missing or null."""
    value = body.get(field)
    if value is None:
        value = otherwise
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > MOST_NAME or not value.isprintable():
        raise BadRequest(f"{field} must be a printable text of 1 to {MOST_NAME} characters", param=field)
    return value


def flag(body: Mapping[str, Any], field: str) -> bool:
    value = body.get(field)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{field} must be true or false", param=field)
    return bool(value)


def integer(body: Mapping[str, Any], field: str, least: int, most: int) -> int | None:
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadRequest(f"{field} must be a whole number from {least} to {most}", param=field)
    return value


def objects(body: Mapping[str, Any], field: str) -> None:
    value = body.get(field)
    if not isinstance(value, list) or not value:
        raise BadRequest(f"{field} must be a list with at least one message", param=field)
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise BadRequest(f"{field}[{index}] must be an object", param=f"{field}[{index}]")
