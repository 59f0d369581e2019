import asyncio
import io

import pytest

from ailb.ingest.frames import HEAD, MOST, head, read, receive, write


def test_what_is_written_is_read() -> None:
    pipe = io.BytesIO()
    for body in (b"", b"one", b"x" * 70_000):
        write(pipe, body)
    pipe.seek(0)
    assert [b"", b"one", b"x" * 70_000, None] == [read(pipe) for _ in range(4)]


@pytest.mark.parametrize("cut", [b"\0", b"\0\0\0\x05abcd", (MOST + 1).to_bytes(HEAD, "big")])
def test_what_is_cut_or_too_long_is_no_frame(cut: bytes) -> None:
    with pytest.raises(EOFError):
        read(io.BytesIO(cut))


async def test_it_is_received_as_it_comes() -> None:
    pipe = asyncio.StreamReader()
    pipe.feed_data(head(b"one") + b"o")
    waiting = asyncio.ensure_future(receive(pipe))
    await asyncio.sleep(0)
    assert not waiting.done()
    pipe.feed_data(b"ne")
    assert b"one" == await waiting
    pipe.feed_data(head(b"two") + b"t")
    pipe.feed_eof()
    with pytest.raises(EOFError):
        await receive(pipe)
