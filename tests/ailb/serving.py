"""What tests of the serving side need: a gateway around any innermost, and a hand-made ASGI client."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import orjson
from starlette.types import ASGIApp, Message

from ailb.config import Config
from ailb.dialect import Event, Target
from ailb.exchange import Attempt, Exchange, Outcome, Reply
from ailb.gateway import Gateway, Kept
from ailb.loader import Snapshot
from ailb.models import Models
from ailb.stack import Innermost, Layer, Next, Provider, stack
from ailb.testing import StillClock

SOON = 10.0
"""Seconds after which a test gives up; nothing in these tests takes any."""

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def config(**server: Any) -> Config:
    return Config.model_validate({"layer": [{"use": "routing"}], "provider": [{"name": "echo"}], "server": server})


class Pick:
    """The simplest routing."""

    async def __call__(self, exchange: Exchange, call_next: Next) -> Reply:
        exchange.target = Target("fake", "m")
        return await call_next(exchange)


def snapshot(provider: Provider, layers: Sequence[Layer] = (), *, version: str = "1", **server: Any) -> Snapshot:
    providers = {"fake": provider}
    models = Models({"fake": ("m", "*")})
    return Snapshot(config(**server), layers, providers, models, stack([*layers, Pick()], Innermost(providers)), version)


async def started(first: Snapshot, load: Callable[[], Snapshot] | None = None, store: Kept | None = None) -> Gateway:
    gateway = Gateway(first, load or (lambda: first), StillClock(), store)
    await gateway.start()
    return gateway


def said(text: str, finish: str | None = None) -> Event:
    return Event.chunk({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


class Upstream:
    """A provider under the test's thumb. A step is an event to answer with, something to wait for, or an exception to raise."""

    def __init__(self, *steps: Any, headers: Mapping[str, str] | None = None) -> None:
        """Steps up to the first None happen before the reply is there."""
        self.steps = list(steps)
        self.headers = headers
        self.entered = asyncio.Event()
        self.closed = 0
        self.cancelled = 0
        self.replied = 0
        self.outcomes: list[Outcome] = []

    async def __call__(self, exchange: Exchange, attempt: Attempt) -> Reply:
        exchange.on_settle(self.outcomes.append)
        steps = list(self.steps)
        if None in steps:
            for step in steps[: steps.index(None)]:
                await self._take(step)
            del steps[: steps.index(None) + 1]
        self.replied += 1
        return Reply(_Steps(self, steps), headers=self.headers, close=self._close)

    @property
    def outcome(self) -> Outcome:
        (outcome,) = self.outcomes
        return outcome

    def _close(self) -> None:
        self.closed += 1

    async def _take(self, step: Any) -> None:
        if isinstance(step, BaseException):
            raise step
        self.entered.set()
        try:
            await step.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


class _Steps:
    def __init__(self, upstream: Upstream, steps: list[Any]) -> None:
        self._upstream = upstream
        self._steps = steps

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        while self._steps:
            step = self._steps.pop(0)
            if isinstance(step, Event):
                return [step]
            await self._upstream._take(step)
        raise StopAsyncIteration


class Client:
    """One request by hand. `left` set: it hung up. `taking` cleared: it takes nothing of what is sent."""

    def __init__(
        self,
        app: ASGIApp,
        body: Any = None,
        *,
        method: str = "POST",
        path: str = "/v1/chat/completions",
        headers: Mapping[str, str] | None = None,
        messages: Sequence[Message] | None = None,
        scope: Mapping[str, Any] | None = None,
        **asked: Any,
    ) -> None:
        """`messages` are received in place of `body`; `asked` is added to a chat request."""
        data = body if isinstance(body, bytes) else orjson.dumps({**ASKED, **asked} if body is None else body)
        self._messages = [{"type": "http.request", "body": data, "more_body": False}] if messages is None else list(messages)
        self._app = app
        named = {"host": "localhost", **(headers or {})}
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()],
            "client": ("127.0.0.1", 5),
            "server": ("127.0.0.1", 80),
            "ailb.id": "req_1",
            "ailb.headers": named,
            **(scope or {}),
        }
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self.taking = asyncio.Event()
        self.taking.set()
        self.blocked = asyncio.Event()
        self._news = asyncio.Condition()
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.task = asyncio.ensure_future(self.call())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.task is not None
        if kind is not None:
            self.task.cancel()
        await asyncio.wait([self.task], timeout=SOON)
        if kind is None:
            assert self.task.done()

    async def call(self) -> None:
        await self._app(self.scope, self.receive, self.send)

    async def run(self) -> Self:
        """The whole call, to its end."""
        await asyncio.wait_for(self.call(), SOON)
        return self

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not self.taking.is_set():
            self.blocked.set()
            await self.taking.wait()
        self._check(message)
        async with self._news:
            self.sent.append(message)
            self._news.notify_all()

    async def until(self, text: bytes) -> None:
        """Returns once the body has `text` in it."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: text in self.body), SOON)

    def _check(self, message: Message) -> None:
        """ASGI's rules for a response."""
        starts = [sent for sent in self.sent if sent["type"] == "http.response.start"]
        assert bool(starts) is (message["type"] == "http.response.body"), "one start, then bodies"
        assert not self.finished, "nothing after the end"

    @property
    def finished(self) -> bool:
        return any(sent["type"] == "http.response.body" and not sent.get("more_body") for sent in self.sent)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(sent.get("body", b"") for sent in self.sent if sent["type"] == "http.response.body")

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = orjson.loads(self.body)
        return loaded
