import io
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if find_spec("pypdf") is None:
    pytest.skip("ailb[rag] is not installed", allow_module_level=True)

from pypdf import PdfReader, PdfWriter

from ailb.ingest.pdf import pages
from tests.ailb.ingest.pdfs import pdf


def encrypted(user: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(["Secret"]))))
    writer.encrypt(user, "owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_each_page_has_its_text() -> None:
    title, texts = pages(pdf(["First page\nsecond line", "", "Café"], title="A manual"), 10)
    assert "A manual" == title
    assert ["First page\nsecond line", "", "Café"] == [text.strip() for text in texts]


def test_a_deflated_one_without_a_title() -> None:
    title, (text,) = pages(pdf(["Packed"], flate=True), 10)
    assert ("", "Packed") == (title, text.strip())


def test_one_that_everybody_may_open_is_opened() -> None:
    assert "Secret" == pages(encrypted(""), 10)[1][0].strip()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (encrypted("user"), "is encrypted"),
        (pdf(["x"] * 11), "has 11 pages, and may have 10"),
        (pdf(["", ""]), "has no text: its pages are pictures"),
        (b"", "is a broken PDF"),
        (b"%PDF-1.4 and then something else", "is a broken PDF"),
        (pdf(["x"])[:200], "is a broken PDF"),
        (pdf(["x", "y"]).replace(b"[4 0 R 6 0 R]", b"[2 0 R 2 0 R]"), "is a broken PDF"),
        (pdf(["x"], flate=True).replace(b"FlateDecode", b"FlatoDecode"), "is a broken PDF: Unsupported filter"),
        (pdf(["x"], stream=b" " * (80 << 20), flate=True), "is a broken PDF: Limit reached while decompressing"),
    ],
)
def test_what_cannot_be_read_is_told(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        pages(content, 10)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([pdf(["Hello", "two"], title="t"), pdf(["Hello"], flate=True)]), st.data())
def test_whatever_is_broken_is_a_broken_pdf(content: bytes, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        content = content[:place] + data.draw(st.binary(max_size=4)) + content[place + data.draw(st.integers(0, 20)) :]
    try:
        _, texts = pages(content, 10)
    except ValueError as problem:
        assert str(problem)
    else:
        assert any(texts)
