"""A scripted upstream on a real socket: the model that a request names picks the script, and a script may send any bytes at all.

It runs in a thread with its own event loop, so that tests are plain blocking code.
"""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any, Self
from weakref import WeakSet

from tests.e2e.wire import chunked, head


class Flag:
    """An event that a test's thread and the upstream's loop may both set and wait for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._here = threading.Event()
        self._there = asyncio.Event()

    def set(self) -> None:
        self._here.set()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._there.set)

    def wait(self, seconds: float) -> bool:
        """In a test: whether it was set in time."""
        return self._here.wait(seconds)

    async def reached(self) -> None:
        """In a script."""
        await self._there.wait()


@dataclass
class Call:
    """One request as the upstream saw it. `gone` is set at the instant the gateway closed or reset the connection during the call."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    gone: Flag
    ended: Flag
    at: float = field(default_factory=monotonic)
    gone_at: float = 0.0
    sent: int = 0

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


class Talk:
    """A script's side of one call."""

    def __init__(self, call: Call, writer: asyncio.StreamWriter) -> None:
        self.call = call
        self.open = True
        self._writer = writer
        self._begun = False

    async def raw(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
            self.call.sent += len(piece)
            await self._writer.drain()

    async def answer(self, body: bytes | Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """A whole answer with a true content-length."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json", "content-length": str(len(content)), **(headers or {})}
        await self.raw(head(status, given) + content)

    async def stream(self, *events: bytes) -> None:
        """Each of `events` as one chunk of a chunked event stream; the head goes before the first."""
        if not self._begun:
            self._begun = True
            await self.raw(head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        await self.raw(*[chunked(event) for event in events])

    async def end(self, *events: bytes) -> None:
        """The last of `events`, and the proper end of the stream."""
        await self.stream(*events)
        await self.raw(b"0\r\n\r\n")

    async def hang(self) -> None:
        """Silence, until the gateway leaves."""
        await self.call.gone.reached()

    def close(self) -> None:
        self.open = False
        self._writer.close()

    def reset(self) -> None:
        """Closes by RST."""
        self.open = False
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Talk], Awaitable[None]]


class _Reader(asyncio.StreamReader):
    """Notices the end of the connection at once, also while nobody reads."""

    call: Call | None = None

    def feed_eof(self) -> None:
        super().feed_eof()
        self._gone()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self._gone()

    def _gone(self) -> None:
        if self.call is not None:
            self.call.gone_at = monotonic()
            self.call.gone.set()


class Upstream:
    """`with Upstream() as upstream`; `upstream.on(script)` gives the name of a new model."""

    def __init__(self) -> None:
        self.port = 0
        self.failures: list[BaseException] = []
        self.open_connections = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream", daemon=True)
        self._scripts: dict[str, Script] = {}
        self._calls: dict[str, list[Call]] = {}
        self._arrived = threading.Condition()
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: WeakSet[asyncio.StreamWriter] = WeakSet()

    def __enter__(self) -> Self:
        self._thread.start()
        self._submit(self._listen()).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._submit(self._shut()).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def flag(self) -> Flag:
        return Flag(self._loop)

    def on(self, script: Script, b: Script | None = None, *, kind: str = "m") -> str:
        """A model that nobody used before, answered by `script`; `b` answers for it at provider b. `kind` is the name's first letter."""
        model = f"{kind}-{next(self._numbers)}"
        self._scripts[model] = script
        self._scripts[f"b {model}"] = b or script
        return model

    def at(self, path: str, script: Script) -> None:
        """Requests for `path` that have no body, and so name no model, are answered by `script`."""
        self._scripts[path] = script

    def calls(self, model: str) -> list[Call]:
        """All calls for `model` until now, in the order of their arrival."""
        return list(self._calls.get(model, ()))

    def call(self, model: str, number: int = 1, seconds: float = 30) -> Call:
        """The call for `model` of that number, waited for."""
        with self._arrived:
            came = self._arrived.wait_for(lambda: len(self.calls(model)) >= number, seconds)
        assert came, f"call {number} for {model} did not come within {seconds} s"
        return self.calls(model)[number - 1]

    def _submit(self, work: Any) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _listen(self) -> None:
        def protocol() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(_Reader(limit=1 << 24), self._connected)

        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, backlog=512)
        self._server = server
        self.port = server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()  # what nobody takes any more would keep its socket open for ever
        await asyncio.sleep(0)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, _Reader)
        self.open_connections += 1
        connection = next(self._numbers)
        try:
            while (call := await self._read(reader, connection)) is not None and await self._play(call, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The gateway left; the call's flag says so.
        except Exception as failure:  # noqa: BLE001 - a script's mistake fails the test, not this thread
            self.failures.append(failure)
        finally:
            self.open_connections -= 1
            writer.close()

    async def _play(self, call: Call, reader: _Reader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on after it."""
        reader.call = call
        if reader.at_eof():
            call.gone.set()
        model = call.json["model"] if call.body else call.path
        script = self._scripts[f"b {model}" if call.path.startswith("/b/") else model]
        with self._arrived:
            self._calls.setdefault(model, []).append(call)
            self._arrived.notify_all()
        talk = Talk(call, writer)
        try:
            await script(talk)
        finally:
            reader.call = None
            call.ended.set()
        return talk.open

    async def _read(self, reader: asyncio.StreamReader, connection: int) -> Call | None:
        line = (await reader.readline()).decode().strip()
        if not line:
            return None
        headers: list[tuple[str, str]] = []
        while text := (await reader.readline()).decode().strip():
            name, _, value = text.partition(":")
            headers.append((name, value.strip()))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        body = await reader.readexactly(length)
        return Call(line, headers, body, connection, self.flag(), self.flag())
