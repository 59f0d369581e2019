from importlib.util import find_spec

import pytest

if find_spec("pypdf") is None:
    pytest.skip("ailb[rag] is not installed", allow_module_level=True)

from ailb.ingest.limits import Limits, Unreadable
from ailb.ingest.parse import Parsed, Part, kind, parse
from tests.ailb.ingest.pdfs import pdf

LIMITS = Limits(bytes=5000, pages=2)


@pytest.mark.parametrize(
    ("name", "content_type", "expected"),
    [
        ("a.txt", "", "text"),
        ("a/b.MD", "", "markdown"),
        ("a.md", "text/html", "markdown"),
        ("a.htm", "", "html"),
        ("a.pdf", "", "pdf"),
        ("a", "text/markdown; charset=utf-8", "markdown"),
        ("a", "Application/PDF", "pdf"),
        ("a.docx", "application/octet-stream", None),
        ("", "", None),
    ],
)
def test_what_a_file_is(name: str, content_type: str, expected: str | None) -> None:
    assert expected == kind(name, content_type)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"# plain\r\ntext", Parsed("a", (Part("# plain\ntext", False),))),
        ("b/guide.md", b"# The *guide*\n\ntext", Parsed("The guide", (Part("# The *guide*\n\ntext", True),))),
        ("b/guide.md", b"## Second\n\ntext", Parsed("guide", (Part("## Second\n\ntext", True),))),
        ("a.html", b"<title>T\n t</title><p>text", Parsed("T t", (Part("text", True),))),
        ("a.html", b"<h1>H</h1>", Parsed("H", (Part("# H", True),))),
        ("a.pdf", pdf(["one", "two"], title="P"), Parsed("P", (Part("one\n", False, 1), Part("two\n", False, 2)))),
        ("c/a.b.pdf", pdf(["one"]), Parsed("a.b", (Part("one\n", False, 1),))),
    ],
)
def test_a_file_is_read(name: str, content: bytes, expected: Parsed) -> None:
    found = parse(name, content, LIMITS)
    assert expected.title == found.title
    stripped = [(part.text.strip(), part.marked, part.page) for part in found.parts]
    assert [(part.text.strip(), part.marked, part.page) for part in expected.parts] == stripped


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.docx", b"PK", "a.docx: is of no kind that can be read; there are .txt"),
        ("a.txt", b"x" * 5001, "a.txt: has 5001 bytes, and may have 5000"),
        ("a.txt", b" \n", "a.txt: has no text"),
        ("a.md", b"\0", "a.md: is no text"),
        ("a.html", b"<p></p>", "a.html: has no text"),
        ("a.pdf", pdf(["1", "2", "3"]), "a.pdf: has 3 pages, and may have 2"),
        ("a.pdf", b"no", "a.pdf: is a broken PDF"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, content: bytes, problem: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(name, content, LIMITS)
    assert caught.value.message.startswith(problem)
