"""What a gateway is soaked in: streams of which many go wrong, whole answers, and callers that nobody saw before."""

import asyncio
import signal
import struct
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET

from benchmarks.children import BenchmarkError, child, tail
from benchmarks.keys import keyed
from benchmarks.load import FAULTS, SCRIPT, parse_result
from benchmarks.server import PATH, Ground, Server
from benchmarks.soak_gateway import served
from benchmarks.upstream import request_body

CONNECTIONS = 64
LOOK_SECONDS = 0.5
WAIT_SECONDS = 60.0
DAY = 86_400
IDENTITIES = Path(__file__).with_name("soak.lua")

Watch = Callable[[int], None]
"""Called now and then with the number of requests that are over."""


@dataclass(frozen=True, slots=True)
class Soak:
    """`drive` asks `requests` times and returns how often something came that should not have.

    The bars are in megabytes: of growth per 10,000 requests, and in all. `warm` is the share of the requests before they count.
    """

    key: str
    label: str
    requests: int
    drive: Callable[[Server, Ground, int, Watch], int]
    total: float
    slope: float | None = None
    warm: float = 0.2


@dataclass(frozen=True, slots=True)
class Kind:
    """One way for a stream to go: what is asked, after which bytes the client leaves, or what the answer must have in it."""

    model: str
    expected: bytes = b""
    leave: bytes | None = None
    reset: bool = False


GOOD = Kind("burst", b"data: [DONE]")
KINDS = (
    Kind("held", leave=b""),
    Kind("held", leave=b"data:", reset=True),
    Kind("held", leave=b"data:"),
    Kind("failing", b'"status_code":500'),
    *[GOOD] * 6,
    Kind("held", leave=b"", reset=True),
    Kind("burst", leave=b"data:", reset=True),
    Kind("burst", leave=b"HTTP/1.1 200"),
    Kind("broken", b'"error"'),
    *[GOOD] * 6,
)
"""In turns: of twenty six are left by their client and two break upstream, one of them after it has begun."""


def streams(server: Server, ground: Ground, requests: int, watch: Watch) -> int:
    """Each on a connection of its own."""
    return asyncio.run(_all(keyed(server), requests, watch))


def whole(server: Server, ground: Ground, requests: int, watch: Watch) -> int:
    result = _wrk(keyed(server), ground, SCRIPT, requests, watch)
    return sum(result[name] for name in FAULTS)


def identities(server: Server, ground: Ground, requests: int, watch: Watch) -> int:
    """Every second one is refused, and must be."""
    result = _wrk(server, ground, IDENTITIES, requests, watch)
    amiss = abs(result["requests"] // 2 - result["status"])
    return sum(result[name] for name in FAULTS if name != "status") + (amiss if amiss > CONNECTIONS else 0)


SOAKS = (
    Soak("streams", "streams, 30 % left by the client, 10 % broken upstream", 50_000, streams, total=20, slope=1),
    Soak("whole", "whole answers", 200_000, whole, total=20, slope=1),
    Soak("identities", "unknown keys, and new users, sessions and addresses", 1_000_000, identities, total=50, warm=0),
)


def _wrk(server: Server, ground: Ground, script: Path, requests: int, watch: Watch) -> dict[str, int]:
    """Until the gateway has served so many."""
    log = ground.folder / f"wrk-soak-{server.port}.log"
    body = request_body("chat", stream=False).decode()
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{DAY}s", "--timeout", "60s", "-s", str(script), server.url, "--", body, server.key]
    before = served(server)
    with child(command, ground.folder, log) as process:
        while (done := served(server) - before) < requests:
            watch(done)
            time.sleep(LOOK_SECONDS)
            if process.poll() is not None or server.process.poll() is not None:
                raise BenchmarkError(f"the load ended early:\n{tail(log)}\n{tail(server.log)}")
        process.send_signal(signal.SIGINT)
        process.wait(WAIT_SECONDS)
    watch(requests)
    result = parse_result(log.read_text())
    if not result:
        raise BenchmarkError(f"wrk told nothing:\n{tail(log)}")
    return result


async def _all(server: Server, requests: int, watch: Watch) -> int:
    asked = {kind.model: _request(server, kind.model) for kind in KINDS}
    numbers = iter(range(requests))
    over = count(1)

    async def worker(numbers: Iterator[int]) -> int:
        wrong = 0
        for number in numbers:
            kind = KINDS[number % len(KINDS)]
            wrong += not await _stream(server.port, kind, asked[kind.model])
            watch(next(over))
        return wrong

    return sum(await asyncio.gather(*(worker(numbers) for _ in range(CONNECTIONS))))


async def _stream(port: int, kind: Kind, asked: bytes) -> bool:
    """Whether it went as its kind should."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(asked)
                return await _read(reader, kind)
            finally:
                await _leave(writer, kind)
    except (OSError, TimeoutError):
        return False


async def _read(reader: StreamReader, kind: Kind) -> bool:
    """As far as the client stays."""
    answer = b""
    while kind.leave is None or kind.leave not in answer:
        piece = await reader.read(65536)
        if not piece:
            return kind.leave is None and kind.expected in answer
        answer += piece
    return True


async def _leave(writer: StreamWriter, kind: Kind) -> None:
    if kind.reset:
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()
    with suppress(OSError):  # the gateway was faster
        await writer.wait_closed()


def _request(server: Server, model: str) -> bytes:
    body = request_body(model, stream=True)
    headers = {
        "host": f"127.0.0.1:{server.port}",
        "content-type": "application/json",
        "authorization": f"Bearer {server.key}",
        "content-length": str(len(body)),
        "connection": "close",
    }
    lines = [f"POST {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
