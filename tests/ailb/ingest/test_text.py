import pytest

from ailb.ingest.text import clean, decoded


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Grüße 日本".encode(), "Grüße 日本"),
        ("Grüße".encode("utf-8-sig"), "Grüße"),
        ("Grüße".encode("utf-16"), "Grüße"),
        (b"\xfe\xff" + "Grüße".encode("utf-16-be"), "Grüße"),
        ("Grüße".encode("utf-32"), "Grüße"),
        ("Grüße – “ja”".encode("cp1252"), "Grüße – “ja”"),
        (b"a\x81b", "a�b"),
        (b"", ""),
        (b"tab\tfeed\x0cescape\x1b[0m", "tab\tfeed\x0cescape\x1b[0m"),
    ],
)
def test_bytes_are_read_as_what_they_are(content: bytes, text: str) -> None:
    assert text == decoded(content)


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01\x01\x00", b"\x89PNG\r\n\x1a\n\x00", b"a\0b", bytes(range(256))])
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="is no text"):
        decoded(content)


def test_a_mark_that_lies_is_told() -> None:
    with pytest.raises(ValueError, match="begins as UTF-16, and is none"):
        decoded(b"\xff\xfea")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a\0b\ud800c", "ab?c"),
        (f"![x](data:image/png;base64,{'iVBOR' * 100}==) y", "![x](data:) y"),
        ("data:text/plain;base64,c2hvcnQ=", "data:text/plain;base64,c2hvcnQ="),
    ],
)
def test_what_nobody_can_keep_is_taken_out(text: str, expected: str) -> None:
    assert expected == clean(text)
