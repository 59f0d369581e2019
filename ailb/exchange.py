"""One request and everything known about it, and what it came to."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal, Self

from ailb.dialect import Event, Target
from ailb.errors import Refusal
from ailb.keys import Key
from ailb.prompt import Prompt
from ailb.usage import Usage

Status = Literal["complete", "refused", "broken", "disconnected"]


@dataclass(slots=True)
class Caller:
    """Who asks. Filled by the auth layer; until then nobody in particular."""

    user: str = "anonymous"
    key: Key | None = None

    @property
    def key_id(self) -> str | None:
        return self.key.id if self.key else None


@dataclass(frozen=True, slots=True)
class Drain:
    """How far an answer is read on after its client left, so that its true usage is known: at most `seconds`, at most `bytes` more."""

    seconds: float
    bytes: int


@dataclass(slots=True)
class Attempt:
    """One request to one target. Times are seconds since the exchange began. `number` counts from 1.

    `prompt` is what the target is asked: the exchange's, unless a hook put a changed copy in its place. Several attempts may be under way
    at once. `failure` is set when no answer came of it; `abandoned` when nobody waited for one any more. `cost` is in nano-dollars; None
    while nobody counts. A provider sets `drain` where its answer is to be read also after the client left. `headers` go out with the
    request, beside the provider's own; a hook may set some.
    """

    target: Target
    prompt: Prompt
    started: float
    number: int = 1
    status: int | None = None
    first_event: float | None = None
    error: str | None = None
    upstream_id: str | None = None
    failure: Refusal | None = None
    abandoned: bool = False
    ended: float | None = None
    cost: int | None = None
    drain: Drain | None = None
    headers: Mapping[str, str] | None = None

    @property
    def over(self) -> bool:
        """Whether it came to nothing; false while it is under way, and when it was answered."""
        return self.abandoned or self.failure is not None

    def summary(self) -> dict[str, Any]:
        why = self.failure.message if self.error is None and self.failure is not None else self.error
        return {"provider": self.target.provider, "model": self.target.model, "error": why}


@dataclass(slots=True)
class Outcome:
    """What an exchange came to. `seconds` is the whole time; `first_event` the time until the first event was there.

    complete: the client got everything. refused: it got an error instead. broken: the answer ended with an error after it had
    begun. disconnected: the client left before the end.
    """

    status: Status
    http_status: int
    seconds: float
    refusal: Refusal | None = None
    usage: Usage | None = None
    first_event: float | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The answer as far as it went; known only where a layer set `exchange.keep_events`."""
        return "".join(event.text for event in self.events)


Settler = Callable[[Outcome], Awaitable[None] | None]
AttemptHook = Callable[[Attempt], Awaitable[None] | None]


class Exchange:
    """One request, open for exactly as long as its HTTP response.

    `headers` are the client's, lower-case names; `reply_headers` go out with the answer; `notes` go into the request's log line.
    `target` is who is asked, `answered` the attempt whose answer it is, `numbered` the last attempt's number.
    `cost` is what it has cost so far, in nano-dollars; None while nobody counts.
    `unheard(size)` is set when the client left and an answer is awaited all the same: it is told of the bytes that come from then on.
    `dry`: it is only to be explained. Layers take nothing, hold nothing, ask nobody and count nothing, and `record` is what comes of it.
    `record` is what layers have to say about what they decided, whether it is dry or not: plain JSON values, or a function that makes one,
    which is kept as long as the record and so must not hold on to the exchange. Each fills its own part as it goes, with what it has.
    `strategy` and `candidates` are routing's, one for each target that it thought of: `{"provider", "model", "score", "cost_usd" (or None),
    "kept": bool, "reason"}`; `limits` are ratelimit's, `holds` are budget's, one for each attempt; `memory` and `rag` say what those put
    into the prompt.
    `via` is the outgoing header that lets a gateway see its own requests come back (RFC 9110, 7.6.3).
    """

    __slots__ = (
        "answered",
        "attempt_hooks",
        "attempts",
        "caller",
        "cost",
        "dry",
        "headers",
        "id",
        "keep_events",
        "notes",
        "numbered",
        "path",
        "peer",
        "prompt",
        "record",
        "reply_headers",
        "settlers",
        "started",
        "target",
        "unheard",
        "via",
    )

    def __init__(self, prompt: Prompt, *, id: str = "", path: str = "", headers: Mapping[str, str] | None = None, peer: str = "") -> None:
        self.id = id
        self.path = path
        self.headers: Mapping[str, str] = headers or {}
        self.peer = peer
        self.via = ""
        self.unheard: Callable[[int], None] | None = None
        self.prompt = prompt
        self.caller = Caller()
        self.cost: int | None = None
        self.started = perf_counter()
        self.attempts: list[Attempt] = []
        self.reply_headers: dict[str, str] = {}
        self.notes: dict[str, Any] = {}
        self.record: dict[str, Any] = {}
        self.dry = False
        self.numbered = 0
        self.keep_events = False
        self.target: Target | None = None
        self.answered: Attempt | None = None
        self.settlers: list[Settler] = []
        self.attempt_hooks: list[AttemptHook] = []

    @property
    def elapsed(self) -> float:
        return perf_counter() - self.started

    def on_settle(self, settler: Settler) -> None:
        """`settler(outcome)` is called once, when all is over, last registered first, shielded from cancellation."""
        self.settlers.append(settler)

    def on_attempt(self, hook: AttemptHook) -> None:
        """`hook(attempt)` is called before each attempt, when the target and the final prompt are known. It may raise a Refusal, and put
        a changed copy in the place of `attempt.prompt`.
        """
        self.attempt_hooks.append(hook)


class Reply:
    """An answer on its way: events in batches, as they arrived together. An answer that is not streamed is one event.

    `close` gives the upstream connection back; the edge calls it, whatever happens. It does not wait.
    """

    __slots__ = ("_batches", "_close", "_each", "headers", "status")

    def __init__(
        self,
        batches: AsyncIterator[list[Event]],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self.status = status
        self.headers = headers or {}
        self._batches = batches
        self._close = close
        self._each: list[Callable[[list[Event]], list[Event]]] = []

    def each(self, see: Callable[[Event], Event | None]) -> None:
        """`see(event)` is called for every event, innermost layer first; what it returns goes on, None is dropped."""
        self._each.append(lambda batch: [seen for event in batch if (seen := see(event)) is not None])

    def each_batch(self, see: Callable[[list[Event]], list[Event]]) -> None:
        """`see(events)` is called for events that arrived together; what it returns goes on: more of them, too."""
        self._each.append(see)

    def __aiter__(self) -> AsyncIterator[list[Event]]:
        return self if self._each else self._batches

    async def __anext__(self) -> list[Event]:
        batch = await self._batches.__anext__()
        for see in self._each:
            batch = see(batch)
        return batch

    @property
    def closes(self) -> bool:
        """Whether there is something to give back."""
        return self._close is not None

    def close(self) -> None:
        if self._close is not None:
            close, self._close = self._close, None
            close()


def batches_of(events: Iterable[Event]) -> AsyncIterator[list[Event]]:
    """Events that are all there already, one by one."""
    return _Batches(events)


class _Batches:
    """An object and not an async generator, which the event loop would keep books about."""

    __slots__ = ("_events",)

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = iter(events)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        for event in self._events:
            return [event]
        raise StopAsyncIteration
