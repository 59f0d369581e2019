"""What goes over the pipes between a process and its worker: frames, each its length in four bytes and then its bytes."""

from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:  # the worker does without it
    from asyncio import StreamReader

HEAD: Final = 4
MOST: Final = 1 << 30


def head(body: bytes) -> bytes:
    return len(body).to_bytes(HEAD, "big")


def write(pipe: BinaryIO, body: bytes) -> None:
    pipe.write(head(body))
    pipe.write(body)
    pipe.flush()


def read(pipe: BinaryIO) -> bytes | None:
    """None at the end. Raises EOFError in the middle of one."""
    first = pipe.read(HEAD)
    if not first:
        return None
    length = int.from_bytes(first, "big")
    if len(first) < HEAD or length > MOST:
        raise EOFError
    body = pipe.read(length)
    if len(body) < length:
        raise EOFError
    return body


async def receive(pipe: "StreamReader") -> bytes:
    """Raises IncompleteReadError at the end, which is an EOFError."""
    return await pipe.readexactly(int.from_bytes(await pipe.readexactly(HEAD), "big"))
