from struct import unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.protobuf import field, fields, varint

Read = list[tuple[int, int | bytes]]
NUMBERS = st.integers(min_value=1, max_value=(1 << 29) - 1)
INTEGERS = st.integers(min_value=0, max_value=(1 << 64) - 1)


def read(message: bytes) -> Read:
    """And each value stands where it is said to be."""
    found = []
    for number, value, at in fields(message):
        stands = varint(value) if isinstance(value, int) else bytes(value)
        assert stands == message[at : at + len(stands)]
        found.append((number, value if isinstance(value, int) else stands))
    return found


@pytest.mark.parametrize(
    ("message", "expected"),
    [  # from https://protobuf.dev/programming-guides/encoding/
        ("089601", [(1, 150)]),
        ("120774657374696e67", [(2, b"testing")]),
        ("1a03089601", [(3, b"\x08\x96\x01")]),
        ("220568656c6c6f280128022803", [(4, b"hello"), (5, 1), (5, 2), (5, 3)]),
        ("3206038e029ea705", [(6, b"\x03\x8e\x02\x9e\xa7\x05")]),
        ("08feffffffffffffffff01", [(1, (1 << 64) - 2)]),
        ("0d00000040", [(1, b"\0\0\0\x40")]),
        ("090000000000000040", [(1, b"\0\0\0\0\0\0\0\x40")]),
        ("", []),
    ],
)
def test_what_the_specification_shows(message: str, expected: Read) -> None:
    assert expected == read(bytes.fromhex(message))


@pytest.mark.parametrize(
    "message", ["08", "0896", "12", "1207746573", "0d000000", "0900", "0b", "0c", "0f", "ff" * 11, "08" + "80" * 10 + "00"]
)
def test_what_is_no_message_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match=r"a field is|has no end"):
        list(fields(bytes.fromhex(message)))


@given(st.lists(st.tuples(NUMBERS, INTEGERS | st.binary(max_size=300))))
def test_what_is_written_is_read(expected: Read) -> None:
    assert expected == read(b"".join(field(number, value) for number, value in expected))


@given(NUMBERS, st.integers(min_value=-(1 << 63), max_value=-1))
def test_a_negative_integer_is_one_of_64_bits(number: int, value: int) -> None:
    assert [(number, value + (1 << 64))] == read(field(number, value))
    assert 10 == len(varint(value))


@given(NUMBERS, st.floats(width=32, allow_nan=False), st.text())
def test_floats_have_32_bits_and_texts_are_utf_8(number: int, real: float, text: str) -> None:
    (_, first), (_, second) = read(field(number, real) + field(number, text))
    assert isinstance(first, bytes)
    assert (real,) == unpack("<f", first)
    assert second == text.encode()


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    try:
        found = list(fields(message))
    except ValueError:
        return
    assert len(found) <= len(message)
