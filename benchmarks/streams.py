"""A thousand streams held open at once, and the memory that each of them takes."""

import asyncio
from asyncio import Semaphore, StreamWriter

from benchmarks import procfs
from benchmarks.children import BenchmarkError, tail
from benchmarks.server import HEADERS, PATH, Server
from benchmarks.upstream import request_body

FIRST = 20
AT_ONCE = 50
OPENING_SECONDS = 30.0


def bytes_per_stream(server: Server, count: int) -> float:
    """What `count` open streams add to the memory of a process that holds a few already."""
    try:
        return asyncio.run(_hold(server, count))
    except (OSError, EOFError, TimeoutError) as failure:
        raise BenchmarkError(f"{server.contender.name} did not open {count} streams: {failure!r}\n{tail(server.log)}") from failure


async def _hold(server: Server, count: int) -> float:
    places = Semaphore(AT_ONCE)
    few = await _open_all(server.port, FIRST, places)
    before = procfs.resident_bytes(server.process.pid)
    many = await _open_all(server.port, count, places)
    after = procfs.resident_bytes(server.process.pid)
    for writer in few + many:
        writer.transport.abort()
    return (after - before) / count


async def _open_all(port: int, count: int, places: Semaphore) -> list[StreamWriter]:
    async with asyncio.timeout(OPENING_SECONDS):
        return await asyncio.gather(*(_open(port, places) for _ in range(count)))


async def _open(port: int, places: Semaphore) -> StreamWriter:
    """Returns once the stream's first event is there."""
    async with places:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_request(port))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise ConnectionRefusedError(head.partition(b"\r\n")[0])
        await reader.readuntil(b"\n\n")
        return writer


def _request(port: int) -> bytes:
    body = request_body("held", stream=True)
    headers = {"host": f"127.0.0.1:{port}", **HEADERS, "content-length": str(len(body))}
    lines = [f"POST {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
