"""What is asked for, and what counts as wrong."""

import asyncio

import pytest

from benchmarks.soak_loads import GOOD, IDENTITIES, KINDS, SOAKS, Kind, _stream
from benchmarks.upstream import stream_events


def test_three_in_ten_leave_and_one_in_ten_fails() -> None:
    left = [kind for kind in KINDS if kind.leave is not None]
    failing = [kind for kind in KINDS if kind.model in ("failing", "broken")]
    assert (len(left) / len(KINDS), len(failing) / len(KINDS)) == (0.3, 0.1)


def test_the_soaks_are_as_long_as_they_should_be() -> None:
    assert {soak.key: soak.requests for soak in SOAKS} == {"streams": 50_000, "whole": 200_000, "identities": 1_000_000}


def test_the_script_prints_what_is_read() -> None:
    assert all(f" {name}=%d" in IDENTITIES.read_text() for name in ("requests", "status", "connect", "read", "write", "timeout"))


async def went(kind: Kind, answer: bytes) -> bool:
    """How a stream of that kind went where `answer` is all that comes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        over.set()

    over = asyncio.Event()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        well = await _stream(port, kind, b"POST / HTTP/1.1\r\n\r\n")
        await over.wait()
        return well


@pytest.mark.parametrize(
    ("kind", "answer", "well"),
    [
        (GOOD, b"".join(stream_events()), True),
        (GOOD, b"".join(stream_events()[:-1]), False),
        (Kind("held", leave=b"data:"), stream_events()[0], True),
        (Kind("held", leave=b"data:", reset=True), b"HTTP/1.1 503 Said\r\n\r\n", False),
        (Kind("held", leave=b""), b"", True),
    ],
)
async def test_a_stream_goes_well_or_not(kind: Kind, answer: bytes, well: bool) -> None:
    assert await went(kind, answer) is well


async def test_nobody_there_is_not_well() -> None:
    assert await _stream(1, GOOD, b"") is False
