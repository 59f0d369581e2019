import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from ailb.deadline import Deadline
from ailb.errors import BodyTooLarge, RequestTimeout, UnsupportedMedia
from ailb.intake import SPILL_BYTES, ClientLeft, read_body

LEFT = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class Sender:
    """`receive`: the messages, then nothing for ever."""

    def __init__(self, messages: Sequence[Any]) -> None:
        self.messages = list(messages)

    async def __call__(self) -> Any:
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)


async def read(*messages: Any, most: int = 100, seconds: float = 10.0, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await read_body(Sender(messages), named, most=most, limit=Deadline(seconds))


@pytest.mark.parametrize(
    ("messages", "body"),
    [
        ([part(b"abc", more=False)], b"abc"),
        ([part(b"a"), part(b"b"), part(b"", more=False)], b"ab"),
        ([part(b""), part(b"ab", more=False)], b"ab"),
        ([{"type": "http.request"}], b""),
        ([part(b"x" * 100, more=False)], b"x" * 100),
        ([part(b"x" * 99), part(b"x", more=False)], b"x" * 100),
    ],
)
async def test_a_body_is_read_to_its_end(messages: list[Any], body: bytes) -> None:
    assert body == await read(*messages)


@pytest.mark.parametrize(
    "messages", [[part(b"x" * 101, more=False)], [part(b"x" * 60), part(b"x" * 60, more=False)], [part(b"x" * 101), LEFT]]
)
async def test_a_body_that_is_too_large(messages: list[Any]) -> None:
    with pytest.raises(BodyTooLarge, match=r"^the body is larger than 100 bytes$"):
        await read(*messages)


async def test_what_can_be_changed_about_it_is_said() -> None:
    with pytest.raises(BodyTooLarge, match=r"^the body is larger than 2 bytes \(server.max_body_bytes\)$"):
        await read_body(Sender([part(b"xxx", more=False)]), {}, most=2, limit=Deadline(10), setting="server.max_body_bytes")


@pytest.mark.parametrize("declared", ["101", "9" * 18, "9" * 5000])
async def test_a_body_that_says_that_it_will_be_too_large(declared: str) -> None:
    with pytest.raises(BodyTooLarge):
        await read(part(b"x", more=False), content_length=declared)


@pytest.mark.parametrize("declared", ["", "abc", "-1", "\xb2", "0x10", "1e9"])
async def test_a_length_that_is_no_number_says_nothing(declared: str) -> None:
    assert await read(part(b"x", more=False), content_length=declared) == b"x"


async def test_of_a_body_that_is_too_large_a_little_more_is_read_and_no_end_of_it() -> None:
    sender = Sender([part(b"x" * 1024) for _ in range(1000)])
    with pytest.raises(BodyTooLarge):
        await read_body(sender, {}, most=2048, limit=Deadline(10))
    assert 1000 - len(sender.messages) == 3 + SPILL_BYTES // 1024


@pytest.mark.parametrize("messages", [[LEFT], [part(b"a"), LEFT]])
async def test_a_client_that_left(messages: list[Any]) -> None:
    with pytest.raises(ClientLeft):
        await read(*messages)


@pytest.mark.parametrize("messages", [[], [part(b"a")]])
async def test_a_body_that_does_not_come(messages: list[Any]) -> None:
    with pytest.raises(RequestTimeout, match="in time"):
        await read(*messages, seconds=0.01)


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "identity, gzip", "x" * 1000])
async def test_a_body_that_is_packed(coding: str) -> None:
    with pytest.raises(UnsupportedMedia) as refused:
        await read(part(b"a", more=False), content_encoding=coding)
    assert len(refused.value.message) < 120


async def test_a_body_that_says_it_is_not_packed() -> None:
    assert await read(part(b"a", more=False), content_encoding="identity") == b"a"
