"""As much of Protocol Buffers as a model's file is made of: fields out of a message, and fields for one. Pure.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator
from struct import pack
from typing import Final

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SIZES: Final = {FIXED64: 8, FIXED32: 4}
_MOST_VARINT: Final = 10
"""Bytes."""

Value = int | memoryview


def fields(message: bytes | memoryview) -> Iterator[tuple[int, Value, int]]:
    """Number and value of each, in their order, and where in the message the value begins. Whatever is no integer are bytes, not copied.

    Raises ValueError for what is no message.
    """
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _integer(view, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, end = _integer(view, at)
            yield number, value, at
            at = end
            continue
        if kind == BYTES:
            size, at = _integer(view, at)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise ValueError(f"a field is of the kind {kind}, which is none")
        if at + size > len(view):
            raise ValueError("a field is longer than its message")
        yield number, view[at : at + size], at
        at += size


def field(number: int, value: int | float | str | bytes | memoryview) -> bytes:
    """One, as it stands in a message. A float has 32 bits, a negative integer is one of 64."""
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | FIXED32) + pack("<f", value)
    content = value.encode() if isinstance(value, str) else value
    return b"".join((varint(number << 3 | BYTES), varint(len(content)), content))


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _integer(view: memoryview, at: int) -> tuple[int, int]:
    """Unsigned, and where the next field begins."""
    value = 0
    for place, byte in enumerate(view[at : at + _MOST_VARINT]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("an integer has no end")
