"""What the transport's tests talk to: a dialect of lines, and a tiny upstream on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ailb.dialect import Event, Outgoing, Target
from ailb.errors import UpstreamBroken, UpstreamFailure, UpstreamRefusal
from ailb.exchange import Attempt, Exchange, Reply
from ailb.prompt import Prompt
from ailb.provider import Auth, Settings, Timeouts
from ailb.secret import Secret
from ailb.testing import ask
from providers.transport import HttpProvider

TARGET = Target("up", "m")
KEY = "sk-canary-canary-canary"
SOON = 10.0


class Lines:
    """A dialect for tests: a whole answer is its text; each line of a stream is an event, `end` is the last one, `bad...` an error."""

    serves = frozenset({"chat"})

    def request(self, prompt: Prompt, target: Target) -> Outgoing:
        return Outgoing("/chat", b'{"model":"%b"}' % target.model.encode(), {"x-dialect": "lines"})

    def whole(self, prompt: Prompt, body: bytes) -> Event:
        if not body:
            raise UpstreamBroken("empty")
        return Event(body)

    def decoder(self, prompt: Prompt) -> "LineDecoder":
        return LineDecoder()

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefusal:
        return UpstreamRefusal(status, body.decode(errors="replace")[:100])

    def listing(self) -> str | None:
        return "/models"

    def models(self, body: bytes) -> list[str]:
        return body.decode().split()

    def embeddings(self, model: str) -> str | None:
        return f"/embeddings/{model}"


class LineDecoder:
    def __init__(self) -> None:
        self.error: UpstreamFailure | None = None
        self.done = False
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Event]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        events = []
        for line in lines:
            if line.startswith(b"bad"):
                self.error = UpstreamRefusal(429, f"inside{line[3:].decode()}")
            elif line == b"end":
                self.done = True
            elif line:
                events.append(Event(line))
        return events

    def end(self) -> list[Event]:
        if not self.done:
            raise UpstreamBroken("cut")
        return []


class Peer:
    """One connection as the upstream sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number
        self.gone = asyncio.Event()

    async def request(self) -> tuple[str, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return first, headers, await self.reader.readexactly(int(headers.get("content-length", 0)))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes, status: int = 200, *, headers: str = "") -> None:
        await self.send(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body)

    async def stream(self, *lines: bytes, end: bool = True) -> None:
        await self.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-ratelimit-limit: 9\r\n\r\n")
        for line in lines:
            await self.send(b"%x\r\n%b\n\r\n" % (len(line) + 1, line))
        if end:
            await self.send(b"0\r\n\r\n")


Script = Callable[[Peer, str, dict[str, str], bytes], Awaitable[None]]


class Server:
    """A tiny HTTP upstream: `script` answers each request on a connection that is kept; `peers` are the connections there were."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.peers: list[Peer] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, len(self.peers))
        self.peers.append(peer)
        try:
            while True:
                request = await peer.request()
                self.requests.append(request)
                await self.script(peer, *request)
        except (asyncio.IncompleteReadError, ConnectionError):
            peer.gone.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    server = Server(script)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for peer in server.peers:
            peer.writer.close()


@asynccontextmanager
async def provider(port: int, *, auth: Auth = "bearer", local: bool = True, **options: Any) -> AsyncIterator[HttpProvider]:
    timeouts = Timeouts(**options.pop("timeouts", {}))
    host = options.pop("host", "127.0.0.1")
    keys = tuple(map(Secret, options.pop("keys", [KEY])))
    settings = Settings("up", f"http://{host}:{port}/v1", auth, keys, timeouts=timeouts, local=local, **options)
    async with HttpProvider(Lines(), settings) as entered:
        yield entered


async def asked(entered: HttpProvider, *, stream: bool = False, exchange: Exchange | None = None, target: Target = TARGET) -> Reply:
    exchange = exchange or ask(stream=stream)
    return await entered(exchange, Attempt(target, exchange.prompt, 0.0))


async def told(reply: Reply) -> list[bytes]:
    return [event.raw async for batch in reply for event in batch]


async def hello(peer: Peer, *_: object) -> None:
    await peer.answer(b"hello", headers="x-ratelimit-limit: 9\r\nset-cookie: a=b\r\nserver: x\r\n")


async def counts(peer: Peer, *_: object) -> None:
    await peer.stream(b"one", b"two", b"end")


async def silent(peer: Peer, *_: object) -> None:
    await peer.reader.read()
    raise ConnectionError
