from importlib.util import find_spec

import pytest

if find_spec("markdownify") is None:
    pytest.skip("ailb[rag] is not installed", allow_module_level=True)

from ailb.ingest.html import markdown

PAGE = """<!doctype html><html><head><title> The
 manual </title><style>p { color: red }</style><script>alert("no")</script></head>
<body><h1>Guide</h1><p>First <b>bold</b> &amp; <a href="/x">link</a>.</p><script>no()</script>
<h2>Lists</h2><ul><li>one</li><li>two</li></ul><pre><code>x = 1
y = 2</code></pre>
<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table><noscript>no</noscript><!-- no --></body></html>"""


def test_what_a_reader_sees_is_left() -> None:
    title, text = markdown(PAGE.encode())
    assert "The manual" == title
    for piece in ("# Guide\n", "First **bold** & [link](/x).", "## Lists\n", "- one\n- two", "```\nx = 1\ny = 2\n```", "| 1 | 2 |"):
        assert piece in text
    assert "no" not in text
    assert "color" not in text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>Grüße</p>".encode(), "Grüße"),
        ("<p>Grüße</p>".encode("utf-16"), "Grüße"),
        ("<p>Grüße</p>".encode("cp1252"), "Grüße"),
        ("<meta charset=iso-8859-15><p>10 €</p>".encode("iso-8859-15"), "10 €"),
        ('<meta http-equiv="content-type" content="text/html; charset=koi8-r"><p>Привет</p>'.encode("koi8-r"), "Привет"),
        ("<meta charset=us-ascii><p>Grüße</p>".encode(), "Grüße"),
        ("<meta charset=no-such><p>Grüße</p>".encode(), "Grüße"),
        (b"", ""),
        (b"<head><title>T</title><p>a head without an end", "a head without an end"),
        (b"<p>never closed <b>at all", "never closed **at all**"),
    ],
)
def test_bytes_are_read_as_what_they_are(content: bytes, text: str) -> None:
    assert text == markdown(content)[1].strip()


@pytest.mark.parametrize("tag", ["<div>", "<b>", "<ul><li>"])
def test_a_page_of_endless_depth_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        markdown(tag.encode() * 100_000)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="is no text"):
        markdown(b"<p>\0\1</p>")
