import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailb.sse import EventTooLarge, Frame, Parser, comment, encode

CASES = [
    (b"data: a\n\n", [Frame(b"a")]),
    (b"data:a\n\n", [Frame(b"a")]),
    (b"data: a\r\n\r\n", [Frame(b"a")]),
    (b"data: a\r\rdata: b\r\r", [Frame(b"a"), Frame(b"b")]),
    (b"\xef\xbb\xbfdata: a\n\n", [Frame(b"a")]),
    (b": comment\n\ndata: a\n\n", [Frame(b"a")]),
    (b": \n\n: again\ndata: a\n\n", [Frame(b"a")]),
    (b"data: a\ndata: b\n\n", [Frame(b"a\nb")]),
    (b"event: x\ndata: a\n\n", [Frame(b"a", b"x")]),
    (b"data: a\nevent: x\n\n", [Frame(b"a", b"x")]),
    (b"id: 1\nretry: 5\ndata: a\n\n", [Frame(b"a")]),
    (b"data\n\n", [Frame(b"")]),
    (b"data: \n\n", [Frame(b"")]),
    (b"event: x\n\n", []),
    (b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [Frame(b"a"), Frame(b"b")]),
    (b"data: a\n\ndata: b", [Frame(b"a"), Frame(b"b")]),
    (b"data: a\ndata: b\n", [Frame(b"a\nb")]),
    (b"data: a\r\n\ndata: b\n\r\n", [Frame(b"a"), Frame(b"b")]),
    ('data: {"x": "日本\U0001f469\u200d\U0001f4bb"}\n\n'.encode(), [Frame('{"x": "日本\U0001f469\u200d\U0001f4bb"}'.encode())]),
    (b"", []),
]


def parsed(*pieces: bytes) -> list[Frame]:
    parser = Parser()
    return [frame for piece in pieces for frame in parser.feed(piece)] + parser.end()


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_at_once(text: bytes, expected: list[Frame]) -> None:
    assert expected == parsed(text)


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_byte_by_byte(text: bytes, expected: list[Frame]) -> None:
    assert expected == parsed(*(text[i : i + 1] for i in range(len(text))))


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_cut_in_two_anywhere(text: bytes, expected: list[Frame]) -> None:
    for cut in range(len(text) + 1):
        assert expected == parsed(text[:cut], text[cut:])


@given(
    st.lists(st.sampled_from([b"data: a", b"data:b", b"event: e", b": c", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"x"])), st.data()
)
def test_any_cut_gives_the_same(lines: list[bytes], data: st.DataObject) -> None:
    text = b"".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parsed(text) == parsed(*pieces)


def test_an_event_goes_out_as_soon_as_it_is_there() -> None:
    parser = Parser()
    assert [Frame(b"a")] == parser.feed(b"data: a\r\r")
    assert [Frame(b"b")] == parser.feed(b"\ndata: b\n\nda")


def test_an_event_may_not_grow_for_ever() -> None:
    parser = Parser(limit=1000)
    with pytest.raises(EventTooLarge, match="1000 bytes"):
        for _ in range(100):
            parser.feed(b"data: " + b"x" * 100)


def test_encodes_what_it_parses() -> None:
    assert [Frame(b"{}", b"x")] == parsed(encode(b"{}", b"x"))
    assert [] == parsed(comment("keep-alive"))
