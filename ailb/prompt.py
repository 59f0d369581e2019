"""What a client asks for, seen by the layers in one way, whichever dialect the client spoke."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ailb.errors import BadRequest

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

    __slots__ = ("body", "forward", "model", "rag_collection", "rag_top_k", "received", "session_id", "stream")
    dialect: ClassVar[str] = "chat"

    def __init__(self, body: dict[str, Any], headers: Mapping[str, str]) -> None:
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
        """The most tokens that the client lets the answer have; None where it did not say."""
        for cap in CAPS:
            value = self.body.get(cap)
            if value is not None:
                return int(value)
        return None

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
        """The texts of what the user said, the last first."""
        for message in reversed(self.chat()["messages"]):
            if message.get("role") == "user":
                content = message.get("content")
                parts = content if isinstance(content, list) else []
                texts = (p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str))
                yield content if isinstance(content, str) else "\n".join(texts)

    def inject(self, messages: list[dict[str, Any]], *, before_last: bool = False) -> None:
        """Puts chat messages in front of the conversation, behind its system and developer messages, or right before the last thing that
        the user said; never between a tool call and its result.
        """
        present: list[dict[str, Any]] = self.body["messages"]
        at = 0
        while at < len(present) and present[at].get("role") in ("system", "developer"):
            at += 1
        if before_last:
            users = [index for index, message in enumerate(present) if message.get("role") == "user"]
            at = users[-1] if users else at
        self.body["messages"] = [*present[:at], *messages, *present[at:]]


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
