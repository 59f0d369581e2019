import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.errors import BadRequest
from ailb.strict import MOST_NESTING, dumps, loosely, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a": 1} x',
        '{"a": 1}'.encode("utf-16"),
        b'{"model": "a", "model": "b"}',
        b'{"stream": true, "x": 1, "stream": false}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"[" * (MOST_NESTING + 1) + b"]" * (MOST_NESTING + 1) + b"}",
    ],
)
def test_refuses(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(body)


def test_says_where() -> None:
    with pytest.raises(BadRequest, match="line 1 column 7"):
        parse(b'{"a": nope}')


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        (b'{"tools": [{"model": 1}, {"model": 2}], "model": "m"}', {"tools": [{"model": 1}, {"model": 2}], "model": "m"}),
        (b'{"seed": -9223372036854775808}', {"seed": -9223372036854775808}),
        (b'{"a": "\\"model\\": \\"model\\": "}', {"a": '"model": "model": '}),
    ],
)
def test_reads_exactly(body: bytes, expected: dict[str, Any]) -> None:
    assert expected == parse(body)
    assert expected == json.loads(dumps(parse(body)))


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON))
def test_what_was_written_is_read(data: dict[str, Any]) -> None:
    body = json.dumps(data).encode()
    assert data == parse(body)
    assert data == json.loads(dumps(parse(body)))


@given(st.binary(max_size=200))
def test_anything_else_is_a_bad_request(body: bytes) -> None:
    try:
        assert isinstance(parse(body), dict)
    except BadRequest as refusal:
        assert refusal.message


@pytest.mark.parametrize(("body", "expected"), [(b'{"a": 1}', {"a": 1}), (b"[1]", [1]), (b"<html>", None), (b"", None), (b"\xff", None)])
def test_reads_loosely_what_nobody_promised(body: bytes, expected: Any) -> None:
    assert expected == loosely(body)


def test_what_was_written_takes_no_more_memory_than_it_is_long() -> None:
    tracemalloc.start()
    try:
        kept = [dumps({"number": number}) for number in range(100)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 100 * (len(kept[-1]) + 100)
