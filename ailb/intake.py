"""Reading a request's body: bounded in bytes and in time."""

import asyncio
from collections.abc import Mapping

from starlette.types import Receive

from ailb.deadline import Deadline
from ailb.errors import BodyTooLarge, RequestTimeout, UnsupportedMedia

MOST_DIGITS = 18
SPILL_BYTES = 64 * 1024
SPILL_SECONDS = 1.0
"""A client that is still writing never reads an early 413, so a little more is read and thrown away first."""


class ClientLeft(Exception):
    """The client hung up before its request was complete."""


async def read_body(receive: Receive, headers: Mapping[str, str], *, most: int, limit: Deadline, setting: str = "") -> bytes:
    """The whole body. `setting`: what says how much is too much, where that can be changed.

    Raises BodyTooLarge, RequestTimeout, UnsupportedMedia (compressed), ClientLeft.
    """
    coding = headers.get("content-encoding", "identity")
    if coding != "identity":
        raise UnsupportedMedia(f"content-encoding {coding[:40]!r} is not supported; send the body as it is")
    declared = headers.get("content-length", "")
    too_large = declared.isdecimal() and (len(declared) > MOST_DIGITS or int(declared) > most)
    try:
        with limit:
            body = b"" if too_large else await _read(receive, most)
    except TimeoutError:
        raise RequestTimeout("the body did not arrive in time (server.body_seconds)") from None
    if too_large or len(body) > most:
        await _spill(receive)
        raise BodyTooLarge(f"the body is larger than {most} bytes{f' ({setting})' if setting else ''}")
    return body


async def _read(receive: Receive, most: int) -> bytes:
    """At most one message more than `most` bytes."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        return body
    parts = [body]
    size = len(body)
    while size <= most:
        if message["type"] == "http.disconnect":
            raise ClientLeft
        if not message.get("more_body"):
            break
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    return b"".join(parts)


async def _spill(receive: Receive) -> None:
    left = SPILL_BYTES
    try:
        async with asyncio.timeout(SPILL_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return
