"""What is said and how: the pure protocols between a client, the layers and a provider.

OpenAI's chat completions are the language in the middle ("chat"). A provider's Dialect turns a Prompt into bytes and bytes into
Events; a client's Speech does it the other way round. Nothing here does I/O, reads a clock or changes its input: the same
prompt is asked again on failover.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import orjson

from ailb import sse, strict
from ailb.usage import Usage

if TYPE_CHECKING:
    from ailb.errors import Refusal, UpstreamFailure, UpstreamRefusal
    from ailb.prompt import Prompt


class Event:
    """One thing that an upstream said. It keeps the bytes it came in and parses them only when someone asks.

    `raw` is what goes out to a client of the same dialect: one whole SSE frame with its blank line, or, for an answer that is not
    streamed, the JSON body. `usage` is set on an event that reported it. A `hidden` event is for the layers and never sent.
    """

    __slots__ = ("_data", "hidden", "raw", "usage")
    dialect: ClassVar[str] = "chat"

    def __init__(self, raw: bytes, usage: Usage | None = None, *, hidden: bool = False, data: dict[str, Any] | None = None) -> None:
        """`data` is the JSON in `raw`, where whoever makes the event has parsed it anyway."""
        self.raw = raw
        self.usage = usage
        self.hidden = hidden
        self._data = data

    @classmethod
    def chunk(cls, data: dict[str, Any], usage: Usage | None = None, *, name: bytes = b"", hidden: bool = False) -> Self:
        """A streamed event made from its JSON."""
        event = cls(sse.encode(strict.dumps(data), name), usage, hidden=hidden)
        event._data = data
        return event

    @classmethod
    def whole(cls, data: dict[str, Any], usage: Usage | None = None) -> Self:
        """An unstreamed answer made from its JSON."""
        event = cls(strict.dumps(data), usage)
        event._data = data
        return event

    @property
    def data(self) -> dict[str, Any]:
        """The JSON: a `chat.completion.chunk` or a `chat.completion` (for other dialects, theirs)."""
        if self._data is None:
            raw = self.raw
            if not raw.startswith(b"{"):
                raw = raw[raw.index(b"data: ") + 6 :]
            self._data = orjson.loads(raw)
        return self._data

    @property
    def text(self) -> str:
        """The answer's text in this event, of its first choice; without reasoning."""
        return _said(self.data, "content")

    @property
    def reasoning(self) -> str:
        return _said(self.data, "reasoning_content")


def _said(data: Mapping[str, Any], key: str) -> str:
    for choice in data.get("choices") or ():
        if choice.get("index", 0) == 0:
            part = choice.get("delta") or choice.get("message") or {}
            value = part.get(key)
            return value if isinstance(value, str) else ""
    return ""


@dataclass(frozen=True, slots=True)
class Target:
    """One provider and one upstream model. Routing picks among these.

    `credential` is the place of the key that it is asked with, among several keys of a provider. `max_parallel` is how many requests
    of this process may be there at a time, `context` how many tokens it takes; None: no limit, and nobody said. `lacks` is what it cannot
    do, of ailb.abilities.
    """

    provider: str
    model: str
    weight: float = 1.0
    priority: int = 0
    credential: int = 0
    max_parallel: int | None = None
    context: int | None = None
    lacks: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to an upstream: `path` is appended to the provider's base URL; `headers` are without credentials."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Decoder(Protocol):
    """Made anew for each stream. Bytes may be cut anywhere."""

    error: "UpstreamFailure | None"
    """Set when the upstream said inside its 200 that it failed; events before it were returned."""

    done: bool
    """The stream has said all that it promised (its sentinel, or its last event)."""

    def feed(self, chunk: bytes) -> list[Event]:
        """Raises UpstreamBroken for bytes that are not this dialect."""

    def end(self) -> list[Event]:
        """The upstream closed the stream: the last events. Raises UpstreamBroken when it was cut."""


class Dialect(Protocol):
    """How one kind of provider speaks. `serves` names the prompts it takes: "chat", and its own where bytes can be kept."""

    serves: frozenset[str]

    def request(self, prompt: "Prompt", target: Target) -> Outgoing:
        """Raises BadRequest, naming the field, for what the provider has no word for."""

    def whole(self, prompt: "Prompt", body: bytes) -> Event:
        """Raises UpstreamBroken when `body` is not an answer."""

    def decoder(self, prompt: "Prompt") -> Decoder: ...

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> "UpstreamRefusal":
        """From an answer with an error status. Never raises; any bytes at all may come."""

    def listing(self) -> str | None:
        """The path that lists the provider's models, if it has one."""

    def models(self, body: bytes) -> list[str]:
        """The names in that list. Raises UpstreamBroken."""

    def embeddings(self, model: str) -> str | None:
        """The path that takes embeddings requests in OpenAI's shape, if there is one."""


class Encoder(Protocol):
    """One stream to one client."""

    def feed(self, event: Event) -> bytes:
        """What the client gets for this event; may be nothing."""

    def end(self) -> bytes:
        """The proper end."""

    def error(self, refusal: "Refusal") -> bytes:
        """The end of a stream that broke. Never looks like a proper one."""


class Speech(Protocol):
    """How one kind of client speaks: the routes it calls, and what it expects to hear."""

    paths: tuple[str, ...]
    stream_type: str
    """The content type of a stream."""
    heartbeat: bytes
    """What may go out between two events to keep a silent connection awake; empty where the shape has no such thing."""

    def prompt(self, body: dict[str, Any], headers: Mapping[str, str]) -> "Prompt":
        """Raises BadRequest, naming the field. May take `body` apart."""

    def whole(self, prompt: "Prompt", event: Event) -> bytes:
        """The JSON body of an answer that is not streamed."""

    def encoder(self, prompt: "Prompt") -> Encoder: ...

    def error(self, refusal: "Refusal") -> bytes:
        """The JSON body of an error."""
